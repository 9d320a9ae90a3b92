//! PostgreSQL through the gateway.
//!
//! - [`wire`]: messages as borrowed views, and what the gateway says itself

pub mod wire;
