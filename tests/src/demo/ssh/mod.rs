//! `cargo xtask demo ssh`: the same with a real sshd: stock `ssh`, `sftp`, a certificate of minutes for the target.
//!
//! - `stage`: the server with its files, the gateway with its policy, the clients' configuration
//! - `walk`: the steps

mod stage;
mod walk;

use anyhow::Result;

use super::Stop;
use stage::Stage;

/// Starts all of it and walks through; stays up unless `once`.
///
/// # Errors
/// As for the other demo.
pub(super) fn main(once: bool, stop: &Stop) -> Result<i32> {
    println!("Starting an OpenSSH server of our own, and the gateway in front of it ...");
    let stage = Stage::start()?;
    if let Err(error) = walk::walk(&stage, stop) {
        return Err(error.context(format!(
            "the demo did not behave as it says; the gateway's log ends with:\n{}",
            stage.log_end()
        )));
    }
    if !once {
        stage.invite();
        stop.wait();
        println!("\nStopping; everything of this demo is removed.");
    }
    Ok(0)
}
