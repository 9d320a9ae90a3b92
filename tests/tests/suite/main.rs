//! The one integration binary: real servers, real clients, through the boundary.

mod kit;
