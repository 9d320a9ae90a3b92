//! The relay between a client and a target that say what they are told to.

mod copies;
mod doubles;
mod files;
mod programs;
mod tunnels;
