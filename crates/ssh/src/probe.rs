//! A target looked at without a client: whether it can be opened, and what it proves itself with.

use gate::Grant;

use crate::config::{HostKey, TargetOptions};
use crate::known::KnownKeys;
use crate::upstream;

/// What a login found.
#[derive(Debug, Clone)]
pub struct Reached {
    /// The target's own user.
    pub user: String,
    /// The server's greeting and the fingerprint of its key.
    pub link: String,
}

/// Logs in and out again.
///
/// # Errors
/// What is wrong, and what to do.
pub async fn log_in(grant: &Grant, options: &TargetOptions, known: &KnownKeys) -> Result<Reached, String> {
    let reached = upstream::connect(grant, options, known).await.map_err(|error| error.to_string())?;
    reached.socket.shutdown().await;
    Ok(Reached { user: reached.user, link: reached.link })
}

/// The key that the target proves itself with now.
///
/// # Errors
/// What is wrong.
pub async fn host_key(grant: &Grant, options: &TargetOptions) -> Result<HostKey, String> {
    upstream::host_key(grant, options).await.map_err(|error| error.to_string())
}
