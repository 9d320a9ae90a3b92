//! Policy, targets, roles and issuers follow their files: all of it takes effect, or nothing.
//!
//! A change is noticed by the file system's own word, and by looking every few seconds where that word does not come (network
//! file systems). A bad edit keeps what is in force and says so: in the log as an error, in `/metrics`, in `/readyz`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gate::Targets;
use gate::ports::{Audit, AuditEntry, Clock};
use identity::{Issuers, Keys};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use policy::Policy;
use store::SystemClock;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::build::Built;
use super::upkeep::ask_issuers;
use crate::config::load::yaml_files;
use crate::config::{Config, policy as files};
use crate::local;

/// An editor writes a file in several steps; this long after the last one it is read.
const SETTLE: Duration = Duration::from_millis(250);
/// How often the files are looked at without being told.
const LOOK: Duration = Duration::from_secs(5);

/// The running reloader.
pub(super) struct Reloader {
    task: JoinHandle<()>,
    orders: mpsc::Sender<oneshot::Sender<()>>,
}

impl Reloader {
    /// Reloads now, whether files changed or not.
    pub(super) async fn now(&self) {
        let (done, wait) = oneshot::channel();
        if self.orders.send(done).await.is_ok() {
            // The task logs what came of it; an error means that it ended.
            wait.await.ok();
        }
    }

    /// Ends it.
    pub(super) fn stop(self) {
        self.task.abort();
    }
}

/// Starts it.
pub(super) fn start(built: Arc<Built>) -> Reloader {
    let (orders, received) = mpsc::channel(1);
    let task = tokio::spawn(watch(built, received));
    Reloader { task, orders }
}

async fn watch(built: Arc<Built>, mut orders: mpsc::Receiver<oneshot::Sender<()>>) {
    let (changed, mut changes) = mpsc::channel(1);
    let mut watcher = FileWatcher::new(changed);
    let mut seen = print(&built.config.load());
    watcher.follow(&built.config.load());
    loop {
        let order = tokio::select! {
            order = orders.recv() => match order {
                Some(order) => Some(order),
                None => return,
            },
            Some(()) = changes.recv() => {
                tokio::time::sleep(SETTLE).await;
                while changes.try_recv().is_ok() {}
                None
            }
            () = tokio::time::sleep(LOOK) => None,
        };
        let now = print(&built.config.load());
        if order.is_some() || now != seen {
            seen = now;
            if !reload(&built).await {
                // Not written because the audit log is away: look again at the next turn.
                seen = Print::default();
            }
            watcher.follow(&built.config.load());
        }
        if let Some(done) = order {
            // Whoever asked may have gone.
            done.send(()).ok();
        }
    }
}

/// What the files hold, checked and not in force yet.
struct Read {
    config: Config,
    policy: Policy,
    targets: Targets,
    issuers: Issuers,
    keys: Keys,
}

/// What of it is another than in force.
#[derive(Clone, Copy)]
struct Changed {
    policy: bool,
    targets: bool,
    issuers: bool,
    keys: bool,
}

impl Changed {
    fn between(built: &Built, old: &Config, read: &Read) -> Self {
        Self {
            policy: read.policy.version() != built.gate.policy().version(),
            targets: !same_targets(old, &read.config),
            issuers: old.issuers != read.config.issuers,
            keys: old.keys != read.config.keys,
        }
    }

    const fn any(self) -> bool {
        self.policy || self.targets || self.issuers || self.keys
    }
}

/// Reads the files and puts them in force: all that changed, once it is audited, or nothing. False when it must be tried again.
async fn reload(built: &Arc<Built>) -> bool {
    let read = match read(built).await {
        Ok(read) => read,
        Err(problem) => return refuse(built, &problem),
    };
    let old = built.config.load_full();
    let changed = Changed::between(built, &old, &read);
    if changed.any()
        && let Err(error) = built.store.write(&entry(&read, changed)).await
    {
        tracing::error!(%error, "policy, targets and issuers stay as they were: the reload cannot be audited");
        return false;
    }
    warn_about_the_rest(&built.started, &old, &read.config);
    put_in_force(built, read, changed);
    true
}

async fn read(built: &Arc<Built>) -> Result<Read, String> {
    let source = built.config.load().source.clone();
    let read = tokio::task::spawn_blocking(move || {
        let config = Config::load(&source).map_err(|problems| problems.to_string())?;
        let policy = files::load(&config.policy).map_err(|problems| problems.to_string())?;
        let targets = config.gate_targets()?;
        Ok::<_, String>((config, policy, targets))
    })
    .await;
    let (config, policy, targets) = read.map_err(|_| "the files could not be read".to_owned())??;
    let issuers = built.directory.prepare_issuers(config.issuers.clone()).map_err(|error| error.to_string())?;
    let keys = Keys::new(&config.keys).map_err(|error| error.to_string())?;
    Ok(Read { config, policy, targets, issuers, keys })
}

fn entry(read: &Read, changed: Changed) -> AuditEntry {
    let parts = [
        ("policy", changed.policy),
        ("targets", changed.targets),
        ("issuers", changed.issuers),
        ("keys", changed.keys),
    ];
    let parts: Vec<&str> = parts.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect();
    let (targets, issuers) = (read.config.targets.len(), read.config.issuers.len());
    AuditEntry {
        at: SystemClock.now(),
        actor: "gateway".to_owned(),
        action: "policy.reload",
        object: read.policy.version().to_owned(),
        detail: format!("changed {}; now {targets} targets, {issuers} issuers", parts.join(", ")),
    }
}

/// Nothing here can fail: what could was done before the change was audited.
fn put_in_force(built: &Arc<Built>, read: Read, changed: Changed) {
    let version = read.policy.version().to_owned();
    if changed.issuers {
        built.directory.put_issuers(read.issuers);
        tokio::spawn(ask_issuers(Arc::clone(&built.directory)));
    }
    if changed.keys {
        let gone = built.directory.put_keys(read.keys);
        for session in built.gate.live().iter().filter(|session| gone.proved(&session.identity)) {
            built.gate.kill(session.id, "the key that proved the identity is not known any more");
        }
    }
    if changed.targets {
        // A role's credential must be there before a session can ask for it.
        built.leases.replace_roles(local::roles(&read.config));
    }
    if changed.policy {
        built.gate.replace_policy(Arc::new(read.policy));
    }
    if changed.targets {
        built.gate.replace_targets(read.targets);
    }
    built.config.store(Arc::new(read.config));
    let was_current = built.state.is_current();
    built.state.reloaded(changed.policy);
    if changed.any() {
        built.gate.metrics().reloads.get_or_create(&vec![("result", "ok".to_owned())]).inc();
        tracing::info!(
            policy = version,
            policy_changed = changed.policy,
            targets_changed = changed.targets,
            issuers_changed = changed.issuers,
            keys_changed = changed.keys,
            "policy, targets and issuers were reloaded"
        );
    } else if !was_current {
        tracing::info!(policy = version, "the files are as they are in force again");
    }
}

fn refuse(built: &Built, problem: &str) -> bool {
    let version = built.gate.policy().version().to_owned();
    tracing::error!(
        problem,
        policy = version,
        "the edited files were REFUSED; the older policy, targets and issuers stay in force. `sallyport config check` shows this without a restart"
    );
    built.gate.metrics().reloads.get_or_create(&vec![("result", "refused".to_owned())]).inc();
    built.state.refused(problem.to_owned());
    true
}

fn same_targets(old: &Config, new: &Config) -> bool {
    old.targets.len() == new.targets.len()
        && old.targets.iter().zip(&new.targets).all(|(old, new)| {
            old.target == new.target
                && old.endpoint.address == new.endpoint.address
                && old.endpoint.options == new.endpoint.options
                && old.roles == new.roles
        })
}

/// Names what was changed and takes effect at the next start only.
fn warn_about_the_rest(started: &Config, old: &Config, new: &Config) {
    if the_rest(old, new).is_empty() {
        return;
    }
    let waiting = the_rest(started, new);
    if waiting.is_empty() {
        tracing::info!("all keys that take effect at a start are as they were at this one again");
    } else {
        tracing::warn!(keys = waiting.join(", "), "these keys were changed and take effect at the next start");
    }
}

/// The keys in which two configurations differ, of those that are looked at when the gateway starts.
fn the_rest(one: &Config, other: &Config) -> Vec<&'static str> {
    let listen = one.postgres != other.postgres
        || one.ssh != other.ssh
        || one.api != other.api
        || one.proxy_from != other.proxy_from;
    let keys = [
        ("listen", listen),
        ("tls", one.tls != other.tls),
        ("auth", one.auth != other.auth),
        ("data_dir", one.data_dir != other.data_dir),
        ("limits", one.limits != other.limits),
        ("log", one.log != other.log),
        ("otlp", one.otlp != other.otlp),
        ("approvals", one.approvals != other.approvals),
        ("recordings", one.recordings != other.recordings),
        ("tokens", one.tokens != other.tokens),
        ("metrics", one.metrics != other.metrics),
        ("drain", one.drain != other.drain),
    ];
    keys.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect()
}

/// What the files look like: enough to see that one was written or replaced.
type Print = BTreeSet<(PathBuf, Option<(u64, u64, i64, i64)>)>;

fn print(config: &Config) -> Print {
    use std::os::unix::fs::MetadataExt;
    watched(config)
        .into_iter()
        .map(|path| {
            let looks =
                std::fs::metadata(&path).ok().map(|meta| (meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()));
            (path, looks)
        })
        .collect()
}

/// Every file that the configuration is made of.
fn watched(config: &Config) -> Vec<PathBuf> {
    let opened = |path: &PathBuf| {
        let mut all = if path.is_dir() { yaml_files(path).unwrap_or_default() } else { Vec::new() };
        all.push(path.clone());
        all
    };
    let mut paths: Vec<PathBuf> = std::iter::once(&config.source).chain(&config.policy).flat_map(opened).collect();
    paths.sort();
    paths.dedup();
    paths
}

/// The file system's own word, for the directories of all files: a file that is replaced by renaming is no longer the file that
/// was watched.
struct FileWatcher {
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
}

impl FileWatcher {
    fn new(changed: mpsc::Sender<()>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let matters = event.as_ref().map_or(true, |event| !matches!(event.kind, notify::EventKind::Access(_)));
            if matters {
                // A full queue means that a look is due anyway.
                changed.try_send(()).ok();
            }
        });
        let watcher = match watcher {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "changes of files are noticed every few seconds only");
                None
            }
        };
        Self { watcher, directories: BTreeSet::new() }
    }

    fn follow(&mut self, config: &Config) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let wanted: BTreeSet<PathBuf> = watched(config).iter().map(|path| directory(path)).collect();
        for gone in self.directories.difference(&wanted) {
            watcher.unwatch(gone).ok();
        }
        let mut followed = BTreeSet::new();
        for path in wanted {
            if self.directories.contains(&path) {
                followed.insert(path);
                continue;
            }
            match watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    followed.insert(path);
                }
                Err(error) => {
                    tracing::warn!(directory = %path.display(), %error, "changes here are noticed every few seconds only")
                }
            }
        }
        self.directories = followed;
    }
}

fn directory(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}
