//! The state without a running gateway: the store, the secrets and the tokens of a data directory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use console::ports::{IssuedToken, TokenRefused, TokenRequest};
use console::view::{TokenView, rfc3339};
use gate::ports::{Audit, AuditEntry, BoxFuture, Clock, LeaseError, StoreAway};
use identity::{IssueError, IssueRequest, OpenSecret, TokenSettings, Tokens};
use model::TokenId;
use secrets::config::SSH_AUTHORITY;
use secrets::{Leases, MasterKey, Roles, SealedStore, SecretRef};
use store::{Revoked, Store, SystemClock, TokenRow};

use crate::cli::Global;
use crate::config::Config;
use crate::data::Layout;

/// Most tokens of one list.
const LISTED: u32 = 10_000;

/// The opened store of a data directory.
pub(crate) struct Local {
    /// The store.
    pub(crate) store: Store,
    /// Who acts, for the audit log: the user of the operating system.
    pub(crate) actor: String,
    config: Option<Config>,
}

impl Local {
    /// Opens the store of the data directory that the options mean; makes it when it is not there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) async fn open(global: &Global) -> Result<Self> {
        let config = global.places().config_if_any()?;
        let layout = Layout::new(global.places().data_dir_of(config.as_ref())?);
        layout.prepare()?;
        let store = Store::open(layout.database(), tokio::runtime::Handle::current()).await?;
        Ok(Self { store, actor: os_user(), config })
    }

    /// The tokens of the store.
    ///
    /// # Errors
    /// When the store is away.
    pub(crate) async fn tokens(&self) -> Result<TokenDesk> {
        let settings = self.config.as_ref().map(token_settings).unwrap_or_default();
        let tokens = Tokens::open(self.store.clone(), settings, Arc::new(SystemClock)).await?;
        Ok(TokenDesk(tokens))
    }

    /// Refuses names of targets that the configuration does not have, when there is one to tell.
    ///
    /// # Errors
    /// Names the first unknown one.
    pub(crate) fn check_targets(&self, targets: Option<&[String]>) -> Result<()> {
        let (Some(config), Some(targets)) = (&self.config, targets) else {
            return Ok(());
        };
        let known: Vec<&str> = config.targets.iter().map(|target| target.target.name.as_str()).collect();
        match targets.iter().find(|name| *name != gate::gate::OWN_TARGET && !known.contains(&name.as_str())) {
            Some(unknown) => {
                bail!(
                    "there is no target {unknown}; targets are: {}, and {} for the API",
                    known.join(", "),
                    gate::gate::OWN_TARGET
                )
            }
            None => Ok(()),
        }
    }
}

/// How long tokens live by a configuration.
pub(crate) fn token_settings(config: &Config) -> TokenSettings {
    TokenSettings { default_ttl: config.tokens.ttl.get(), max_ttl: config.tokens.max_ttl.get() }
}

/// Tokens as the console's port.
pub(crate) struct TokenDesk(pub(crate) Tokens);

impl console::ports::Tokens for TokenDesk {
    fn issue<'a>(
        &'a self,
        request: &'a TokenRequest,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<IssuedToken, TokenRefused>> {
        Box::pin(async move {
            let order = IssueRequest {
                subject: request.subject.clone(),
                kind: request.kind,
                groups: request.groups.clone(),
                on_behalf_of: request.on_behalf_of.clone(),
                task: request.task.clone(),
                targets: request.targets.clone(),
                ttl: ttl(request)?,
            };
            let issued = self.0.issue(&order, actor).await.map_err(|error| match error {
                IssueError::Invalid(text) => TokenRefused::Invalid(text),
                IssueError::Store(away) => {
                    tracing::warn!(error = %away, "a token could not be stored");
                    TokenRefused::StoreAway
                }
            })?;
            Ok(IssuedToken { token: issued.token.reveal().to_owned(), id: issued.id, expires: issued.expires })
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<TokenView>, StoreAway>> {
        Box::pin(async move {
            let now = SystemClock.now();
            Ok(self.0.ls(false, LISTED).await?.iter().map(|row| token_view(row, now)).collect())
        })
    }

    fn revoke<'a>(&'a self, id: TokenId, actor: &'a str) -> BoxFuture<'a, Result<bool, StoreAway>> {
        Box::pin(async move {
            Ok(match self.0.revoke(id, actor).await? {
                Revoked::Now | Revoked::Before => true,
                Revoked::Unknown => false,
            })
        })
    }
}

/// The life that a request asks for, cut to what the asker's own proof has left.
fn ttl(request: &TokenRequest) -> Result<Option<Duration>, TokenRefused> {
    let asked = request.ttl_seconds.map(Duration::from_secs);
    let Some(end) = request.not_after else {
        return Ok(asked);
    };
    let left = u64::try_from(end.0.saturating_sub(SystemClock.now().0)).unwrap_or(0) / 1_000_000;
    if left == 0 {
        return Err(TokenRefused::Invalid("your own proof has expired; log in again".to_owned()));
    }
    let left = Duration::from_secs(left);
    Ok(Some(asked.unwrap_or(Duration::from_secs(15 * 60)).min(left)))
}

fn token_view(row: &TokenRow, now: record::Micros) -> TokenView {
    let state = if row.revoked.is_some() {
        "revoked"
    } else if row.expires <= now {
        "expired"
    } else {
        "live"
    };
    TokenView {
        id: row.id.to_string(),
        state: state.to_owned(),
        subject: row.identity.subject.clone(),
        kind: row.identity.kind.as_str().to_owned(),
        groups: row.identity.groups.clone(),
        on_behalf_of: row.identity.on_behalf_of.clone(),
        task: row.identity.task.clone(),
        targets: row.targets.clone(),
        issued_by: row.issued_by.clone(),
        created: rfc3339(row.created),
        expires: rfc3339(row.expires),
    }
}

/// The sealed store of a data directory.
///
/// # Errors
/// What is wrong with the master key or a file.
pub(crate) fn sealed(layout: &Layout) -> Result<SealedStore> {
    Ok(SealedStore::open(layout.root())?)
}

/// Seals all secrets with a new master key and says how many there are.
///
/// # Errors
/// When a file cannot be used; what was sealed anew stays readable.
pub(crate) fn rotate(layout: &Layout, to: Option<&Path>) -> Result<usize> {
    let given = std::env::var_os(secrets::key::KEY_VARIABLE).is_some();
    let key = match (given, to) {
        (true, None) => bail!(
            "the master key comes from {}: write the new one (base64, 32 bytes) into a file and pass --to FILE",
            secrets::key::KEY_VARIABLE
        ),
        (false, Some(_)) => {
            bail!("the master key is in the data directory, where rotation makes the new one; leave --to out")
        }
        (true, Some(path)) => MasterKey::from_file(path)?,
        (false, None) => MasterKey::generate()?,
    };
    Ok(sealed(layout)?.rotate(key)?)
}

/// Writes an audit entry, then acts: what cannot be audited does not happen.
///
/// # Errors
/// When the entry cannot be written, or the action fails.
pub(crate) async fn audited<T>(
    layout: &Layout,
    action: &'static str,
    object: &str,
    act: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let store = Store::open(layout.database(), tokio::runtime::Handle::current()).await?;
    let entry = AuditEntry {
        at: SystemClock.now(),
        actor: os_user(),
        action,
        object: object.to_owned(),
        detail: String::new(),
    };
    store.write(&entry).await.context("write the audit log")?;
    let done = act();
    store.close().await;
    done
}

/// Whether a role's keys are certified by the gateway's own authority.
pub(crate) fn wants_ssh_authority(config: &Config) -> bool {
    let mut roles = config.targets.iter().flat_map(|target| target.roles.values());
    roles.any(|role| role.ssh_certificate.as_ref().is_some_and(|minted| minted.authority == own_authority()))
}

fn own_authority() -> SecretRef {
    SecretRef::Secret(SSH_AUTHORITY.to_owned())
}

/// The public key of the authority that certifies the gateway's keys for SSH targets. It is made when there is none yet, and sealed.
///
/// # Errors
/// When it cannot be made or read.
pub(crate) fn ssh_authority(layout: &Layout, sealed: &SealedStore) -> Result<String> {
    let path = layout.ssh_authority();
    if sealed.ls()?.iter().any(|info| info.name == SSH_AUTHORITY) {
        let line = std::fs::read_to_string(&path).with_context(|| {
            format!(
                "{}: read it; `ssh-keygen -y` writes the public key of what was sealed as {SSH_AUTHORITY}",
                path.display()
            )
        })?;
        return Ok(line.trim().to_owned());
    }
    let (key, text) = ssh::keys::own::SigningKey::generate("sallyport ca")?;
    let line = key.public_line();
    // The public half first: a private half that nobody knows the other of would never be used.
    std::fs::write(&path, format!("{line}\n")).with_context(|| format!("{}: write it", path.display()))?;
    sealed.set(SSH_AUTHORITY, &gate::Secret::new(text.as_bytes().to_vec()))?;
    Ok(line)
}

/// Roles by target, as leases want them.
pub(crate) fn roles(config: &Config) -> Roles {
    let roles: BTreeMap<_, _> =
        config.targets.iter().map(|target| (target.target.name.clone(), target.roles.clone())).collect();
    Roles(roles)
}

/// Opens the secrets of the gateway's clients at identity providers.
pub(crate) fn client_secrets(sealed: Arc<SealedStore>) -> OpenSecret {
    Arc::new(move |reference| secrets::client_secret(&sealed, reference))
}

/// Roles and clients of identity providers whose credential could not be opened now, each in one line with what to do.
pub(crate) fn missing_secrets(layout: &Layout, config: &Config) -> Vec<String> {
    if !layout.root().exists() {
        // The sealed store would be made by opening it; checking changes nothing.
        return Vec::new();
    }
    let sealed = match SealedStore::open(layout.root()) {
        Ok(sealed) => Arc::new(sealed),
        Err(error) => return vec![error.to_string()],
    };
    let leases = Leases::new(Arc::clone(&sealed), roles(config));
    let each = config.targets.iter().flat_map(|target| target.roles.keys().map(|role| (&target.target.name, role)));
    // The gateway's own authority is made at the first start.
    let own = |error: &LeaseError| matches!(error, LeaseError::Missing { name, .. } if name == SSH_AUTHORITY);
    let problems = each.filter_map(|(target, role)| leases.check(target, role).err());
    let problems = problems.filter(|error| !own(error)).map(|error| error.to_string());
    let clients = config.issuers.iter().filter_map(|issuer| {
        let reference = issuer.device.as_ref()?.client_secret.as_ref()?;
        let problem = secrets::client_secret(&sealed, reference).err()?;
        Some(format!("issuer {}: `device.client_secret`: {problem}", issuer.url))
    });
    problems.chain(clients).collect()
}

/// The user of the operating system who runs this process.
pub(crate) fn os_user() -> String {
    let id = rustix::process::geteuid().as_raw();
    let named = std::fs::read_to_string("/etc/passwd").ok().and_then(|text| {
        text.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
        })
    });
    named.unwrap_or_else(|| format!("uid-{id}"))
}
