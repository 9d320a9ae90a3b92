//! sallyport-identity
