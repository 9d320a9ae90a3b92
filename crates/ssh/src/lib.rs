//! SSH through the gateway.
//!
//! - [`wire`]: messages as borrowed views, and what the gateway says itself
//! - [`link`]: packets and keys of one side of a connection; [`keys`] keys and signatures
pub mod keys;
pub mod link;
pub mod wire;
