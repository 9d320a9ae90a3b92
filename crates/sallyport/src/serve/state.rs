//! What the gateway knows about itself: whether each part works, its targets, its policy.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use console::ports::{Check, Runtime};
use console::view::{PolicyView, TargetView, rfc3339};
use gate::Gate;
use gate::ports::{BoxFuture, Clock, Recordings};
use identity::Directory;
use record::Micros;
use store::recordings::FileRecordings;
use store::{Store, SystemClock};

/// See the module.
pub(super) struct State {
    gate: Arc<Gate>,
    store: Store,
    recordings: Arc<FileRecordings>,
    directory: Arc<Directory>,
    policy: Mutex<PolicyNote>,
    stopping: AtomicBool,
    /// What each check that fails said when it was logged.
    failing: Mutex<BTreeMap<String, String>>,
}

#[derive(Clone)]
struct PolicyNote {
    since: Micros,
    problem: Option<String>,
}

impl State {
    pub(super) fn new(
        gate: &Arc<Gate>,
        store: &Store,
        recordings: &Arc<FileRecordings>,
        directory: &Arc<Directory>,
    ) -> Self {
        Self {
            gate: Arc::clone(gate),
            store: store.clone(),
            recordings: Arc::clone(recordings),
            directory: Arc::clone(directory),
            policy: Mutex::new(PolicyNote { since: SystemClock.now(), problem: None }),
            stopping: AtomicBool::new(false),
            failing: Mutex::default(),
        }
    }

    /// New connections are no longer taken.
    pub(super) fn stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// The files are in force. `changed` says whether the policy is another than before.
    pub(super) fn reloaded(&self, changed: bool) {
        let mut note = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        note.problem = None;
        if changed {
            note.since = SystemClock.now();
        }
    }

    /// The files have a problem; what was in force before stays.
    pub(super) fn refused(&self, problem: String) {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner).problem = Some(problem);
    }

    /// Whether the files on disk are in force.
    pub(super) fn is_current(&self) -> bool {
        self.note().problem.is_none()
    }

    fn note(&self) -> PolicyNote {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn policy_check(&self) -> Check {
        let policy = self.gate.policy();
        let rules = policy.rule_names().count();
        let version = policy.version();
        if rules == 0 {
            return failed("policy", "there are no rules: everything is denied");
        }
        match self.note().problem {
            // The gateway does its work by the older policy, so it is ready; that the edit did not take must still show.
            Some(problem) => Check {
                public: "an older version stays in force: the edited files were refused; see the gateway's log",
                ..works(
                    "policy",
                    format!(
                        "version {version} stays in force; the files were refused: {problem}; see `sallyport config check`"
                    ),
                )
            },
            None => works("policy", format!("version {version}, {rules} rules")),
        }
    }

    fn keys_check(&self) -> Check {
        let issuers = self.directory.status();
        let bad: Vec<String> = issuers
            .iter()
            .filter(|issuer| !issuer.usable)
            .map(|issuer| format!("{}: {}", issuer.url, issuer.problem.unwrap_or("its keys were not fetched yet")))
            .collect();
        if bad.is_empty() {
            works("keys", format!("{} issuers", issuers.len()))
        } else {
            failed("keys", bad.join("; "))
        }
    }

    /// Logs what began to fail, fails in another way, or works again: whoever asks without a proof is sent to the log.
    fn log_changes(&self, checks: &[Check]) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        for check in checks {
            if check.ok {
                if failing.remove(&check.name).is_some() {
                    tracing::info!(check = check.name, "works again");
                }
            } else if failing.get(&check.name) != Some(&check.detail) {
                tracing::warn!(check = check.name, detail = check.detail, "the gateway is not ready");
                failing.insert(check.name.clone(), check.detail.clone());
            }
        }
    }
}

impl Runtime for State {
    fn checks(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(async move {
            let store = match self.store.healthy().await {
                Ok(()) => works("store", "answers"),
                Err(away) => failed("store", away.to_string()),
            };
            let recorder = match self.recordings.healthy() {
                Ok(()) => works("recorder", format!("{} bytes behind", self.recordings.stats().lag)),
                Err(why) => failed("recorder", why),
            };
            let accepting = match self.stopping.load(Ordering::Acquire) {
                false => works("accepting", "takes connections"),
                true => failed("accepting", "the gateway is stopping"),
            };
            let checks = vec![store, recorder, self.policy_check(), self.keys_check(), accepting];
            self.log_changes(&checks);
            checks
        })
    }

    fn targets(&self) -> Vec<TargetView> {
        let targets = self.gate.targets();
        targets
            .iter()
            .map(|(target, _)| TargetView {
                name: target.name.clone(),
                kind: target.kind.clone(),
                labels: target.labels.clone(),
                roles: target.roles.clone(),
                default_role: target.default_role.clone(),
            })
            .collect()
    }

    fn policy(&self) -> PolicyView {
        let policy = self.gate.policy();
        let note = self.note();
        PolicyView {
            version: policy.version().to_owned(),
            rules: policy.rule_names().count(),
            since: rfc3339(note.since),
            problem: note.problem,
        }
    }
}

fn works(name: &str, detail: impl Into<String>) -> Check {
    Check { name: name.to_owned(), ok: true, detail: detail.into(), public: "works" }
}

fn failed(name: &str, detail: impl Into<String>) -> Check {
    Check { name: name.to_owned(), ok: false, detail: detail.into(), public: "does not work; see the gateway's log" }
}
