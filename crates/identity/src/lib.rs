//! Who is asking: Sallyport tokens and identity providers' tokens become a proven identity.
//!
//! - [`config`]: what the configuration says of an identity provider: [`config::IssuerConfig`]
//! - [`tokens`]: [`Tokens`]: issue, revoke, list, verify as password or by SCRAM
//! - [`oidc`]: tokens of OpenID Connect providers: keys, checks, how claims become an identity, and logins with the browser
//! - [`keys`]: [`Keys`]: SSH keys of known identities, and authorities that certify such keys
//! - [`directory`]: [`Directory`], which implements `gate::ports::Identities` over all of them
//!
//! A text that looks like a JWT goes to the issuer that it names, if that issuer is configured; anything else is looked up as a
//! Sallyport token. Nothing of a token but its `iss` is believed, or used, before its signature holds.
//!
//! What a failed proof says is `gate::ports::AuthFailure`: never a part of the token. How often one may fail is bounded elsewhere.

pub mod config;
pub mod directory;
pub mod keys;
pub mod oidc;
#[cfg(test)]
mod testing;
pub mod tokens;

pub use directory::{Directory, IssuerStatus, Issuers, OpenSecret, SetupError, check_issuers};
pub use keys::{Keys, KeysError};
pub use tokens::{IssueError, IssueRequest, Issued, TokenSettings, TokenText, Tokens};
