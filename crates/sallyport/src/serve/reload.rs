//! Policy, targets, roles and issuers follow their files: all of it takes effect, or nothing.
//!
//! A change is noticed by the file system's own word, and by looking every few seconds where that word does not come (network
//! file systems). A bad edit keeps what is in force and says so: in the log as an error, in `/metrics`, in `/readyz`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gate::ports::{Audit, AuditEntry, Clock};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use store::SystemClock;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::build::Built;
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

/// Reads the files and puts them in force. False when it must be tried again.
async fn reload(built: &Arc<Built>) -> bool {
    let source = built.config.load().source.clone();
    let read = tokio::task::spawn_blocking(move || {
        let config = Config::load(&source).map_err(|problems| problems.to_string())?;
        let policy = files::load(&config.policy).map_err(|problems| problems.to_string())?;
        let targets = config.gate_targets()?;
        Ok::<_, String>((config, policy, targets))
    })
    .await;
    let (config, policy, targets) = match read {
        Ok(Ok(read)) => read,
        Ok(Err(problem)) => return refuse(built, &problem),
        Err(_) => return refuse(built, "the files could not be read"),
    };
    if let Err(error) = built.directory.replace_issuers(config.issuers.clone()) {
        return refuse(built, &error.to_string());
    }
    let old = built.config.load_full();
    let policy_changed = policy.version() != built.gate.policy().version();
    let targets_changed = !same_targets(&old, &config);
    if !policy_changed && !targets_changed {
        if !built.state.is_current() {
            tracing::info!(policy = policy.version(), "the files are as they are in force again");
        }
        built.state.reloaded(false);
        return true;
    }
    let detail = format!("policy {}, {} targets", policy.version(), config.targets.len());
    let entry = AuditEntry {
        at: SystemClock.now(),
        actor: "gateway".to_owned(),
        action: "policy.reload",
        object: policy.version().to_owned(),
        detail,
    };
    if let Err(error) = built.store.write(&entry).await {
        tracing::error!(%error, "policy and targets stay as they were: the reload cannot be audited");
        return false;
    }
    warn_about_the_rest(&old, &config);
    let version = policy.version().to_owned();
    // A role's credential must be there before a session can ask for it.
    built.leases.replace_roles(local::roles(&config));
    if policy_changed {
        built.gate.replace_policy(Arc::new(policy));
    }
    if targets_changed {
        built.gate.replace_targets(targets);
    }
    built.config.store(Arc::new(config));
    built.state.reloaded(policy_changed);
    built.gate.metrics().reloads.get_or_create(&vec![("result", "ok".to_owned())]).inc();
    tracing::info!(policy = version, policy_changed, targets_changed, "policy and targets were reloaded");
    true
}

fn refuse(built: &Built, problem: &str) -> bool {
    let version = built.gate.policy().version().to_owned();
    tracing::error!(
        problem,
        policy = version,
        "the edited files were REFUSED; the older policy and targets stay in force. `sallyport config check` shows this without a restart"
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

/// Names what changed and takes effect at the next start only.
fn warn_about_the_rest(old: &Config, new: &Config) {
    let changed = [
        ("listen", old.postgres != new.postgres || old.api != new.api || old.proxy_from != new.proxy_from),
        ("tls", old.tls != new.tls),
        ("auth", old.auth != new.auth),
        ("data_dir", old.data_dir != new.data_dir),
        ("limits", old.limits != new.limits),
        ("log", old.log != new.log),
        ("otlp", old.otlp != new.otlp),
        ("approvals", old.approvals != new.approvals),
        ("tokens", old.tokens != new.tokens),
        ("metrics", old.metrics != new.metrics),
    ];
    let names: Vec<&str> = changed.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect();
    if !names.is_empty() {
        tracing::warn!(keys = names.join(", "), "these keys were changed and take effect at the next start");
    }
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
