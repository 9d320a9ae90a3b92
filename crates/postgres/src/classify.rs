//! SQL text → what it would do. The only place where PostgreSQL's words become policy words; the words themselves are `sql`'s.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use model::{Action, Effect, Intent, IntentId, Object, ObjectKind};
use sql::{Analysis, Caps, Catalog, Context, Fresh, Kind, Statement};

/// What names stand for when a text is analysed: a snapshot of the catalogue and the schemas that may be in the path.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) path: Arc<[String]>,
    /// Names that the session changed and that the snapshot does not show yet.
    pub(crate) fresh: Arc<Fresh>,
    /// Equal only for the same snapshot, path and fresh names: the cache key.
    pub(crate) id: u64,
}

impl Names {
    pub(crate) fn new(catalog: Arc<Catalog>, path: Arc<[String]>) -> Self {
        Self::with(catalog, path, Arc::default())
    }

    /// The same, with names that the session changed since.
    pub(crate) fn with(catalog: Arc<Catalog>, path: Arc<[String]>, fresh: Arc<Fresh>) -> Self {
        let mut hasher = random_state().build_hasher();
        hasher.write_u64(catalog.version());
        for schema in path.iter() {
            hasher.write(schema.as_bytes());
            hasher.write_u8(0);
        }
        if !fresh.is_empty() {
            fresh.hash_into(|bytes| hasher.write(bytes));
        }
        let id = hasher.finish();
        Self { catalog, path, fresh, id }
    }

    /// The same snapshot with another path or other fresh names.
    pub(crate) fn changed(&self, path: Arc<[String]>, fresh: Arc<Fresh>) -> Self {
        Self::with(Arc::clone(&self.catalog), path, fresh)
    }

    /// Of a target about which nothing is known.
    pub(crate) fn empty() -> Self {
        Self::new(Arc::new(Catalog::empty()), Arc::from(["public".to_owned()]))
    }
}

fn random_state() -> &'static RandomState {
    static STATE: OnceLock<RandomState> = OnceLock::new();
    STATE.get_or_init(RandomState::new)
}

/// An analysed text.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) analysis: Analysis,
    /// For which [`Names`] it holds.
    pub(crate) names: u64,
    /// Some statement refers to a prepared statement or cursor by name.
    pub(crate) refers: bool,
    /// Some statement may change what names stand for: DDL, or code whose effects are not known.
    pub(crate) changes_names: bool,
    /// Some statement ends a transaction or a part of it: what was changed in it may be as before.
    pub(crate) turns_back: bool,
    /// Some statement runs what earlier ones deferred: COMMIT, SET CONSTRAINTS.
    pub(crate) settles: bool,
    /// Some statement opens a transaction.
    pub(crate) begins: bool,
    /// Some statement opens, ends or marks a transaction.
    pub(crate) controls: bool,
    /// Its completion tags count all rows that it changes.
    pub(crate) counted: bool,
}

impl Text {
    fn new(analysis: Analysis, names: u64) -> Rc<Self> {
        let any = |test: fn(&Statement) -> bool| analysis.statements.iter().any(test);
        Rc::new(Self {
            refers: any(|s| {
                matches!(
                    s.kind,
                    Kind::ExecutePrepared { .. }
                        | Kind::Fetch { .. }
                        | Kind::Prepare { .. }
                        | Kind::DeclareCursor { .. }
                )
            }),
            changes_names: any(|s| {
                matches!(s.kind, Kind::Ddl | Kind::Do | Kind::Call | Kind::Unparsed | Kind::Discard { .. })
            }) || analysis.intent.actions.iter().any(changes_names),
            turns_back: any(|s| matches!(s.kind, Kind::RollbackTo | Kind::Rollback | Kind::Commit)),
            settles: any(|s| matches!(s.kind, Kind::Commit | Kind::PrepareTransaction | Kind::Other)),
            begins: any(|s| matches!(s.kind, Kind::Begin)),
            controls: any(|s| {
                matches!(
                    s.kind,
                    Kind::Begin
                        | Kind::Commit
                        | Kind::Rollback
                        | Kind::Savepoint
                        | Kind::RollbackTo
                        | Kind::Release
                        | Kind::PrepareTransaction
                        | Kind::CommitPrepared
                        | Kind::RollbackPrepared
                )
            }),
            counted: !any(|s| {
                // What runs under a name may change more than its tag says.
                let named = matches!(s.kind, Kind::ExecutePrepared { .. } | Kind::Fetch { .. });
                named || (!s.counted && s.intent.actions.iter().any(Action::changes_rows))
            }),
            names,
            analysis,
        })
    }
}

impl Text {
    /// The same text when its parameters have these types: converting one may run what somebody made for it.
    pub(crate) fn with_types(self: &Rc<Self>, types: &[u32], catalog: &Catalog) -> Rc<Self> {
        let mut runs = types.iter().flat_map(|oid| catalog.conversions_of(*oid)).peekable();
        if runs.peek().is_none() { Rc::clone(self) } else { Self::new(self.analysis.running(runs), self.names) }
    }

    /// Schemas that may be in the path from now on.
    pub(crate) fn path(&self) -> impl Iterator<Item = &str> {
        self.analysis.statements.iter().flat_map(|statement| statement.path.iter().map(String::as_str))
    }
}

/// Whether a command may run code of unknown effect.
pub(crate) fn runs_code(intent: &Intent) -> bool {
    intent.actions.iter().any(|action| matches!(action.effect, Effect::Execute | Effect::Unknown))
}

fn changes_names(action: &Action) -> bool {
    match action.effect {
        Effect::Create
        | Effect::Alter
        | Effect::Destroy
        | Effect::Grant
        | Effect::Import
        | Effect::Execute
        | Effect::Unknown => true,
        Effect::Connect
        | Effect::Session
        | Effect::Read
        | Effect::Write
        | Effect::Delete
        | Effect::Admin
        | Effect::Export
        | Effect::Tunnel => false,
    }
}

/// Texts longer than this are analysed on a thread of their own, so that other sessions of the worker are not held up.
pub(crate) const LONG_TEXT: usize = 16 * 1024;
/// Analyses kept per worker.
const KEPT: usize = 8192;
/// Bytes of keys kept per worker; texts longer than a part of it are not kept.
const KEPT_BYTES: usize = 8 * 1024 * 1024;

struct Entry {
    names: u64,
    exact: bool,
    key: Box<[u8]>,
    /// `None`: the shape does not decide, the exact text does.
    text: Option<Rc<Text>>,
}

#[derive(Default)]
struct Cache {
    map: HashMap<u64, Entry>,
    bytes: usize,
    shape: Vec<u8>,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::new(Cache::default());
}

impl Cache {
    fn hash(names: u64, exact: bool, key: &[u8]) -> u64 {
        let mut hasher = random_state().build_hasher();
        hasher.write_u64(names);
        hasher.write_u8(u8::from(exact));
        hasher.write(key);
        hasher.finish()
    }

    fn get(&self, names: u64, exact: bool, key: &[u8]) -> Option<&Option<Rc<Text>>> {
        self.map
            .get(&Self::hash(names, exact, key))
            .filter(|entry| entry.names == names && entry.exact == exact && *entry.key == *key)
            .map(|entry| &entry.text)
    }

    fn put(&mut self, names: u64, exact: bool, key: &[u8], text: Option<Rc<Text>>) {
        if key.len() > KEPT_BYTES / 8 {
            return;
        }
        if self.map.len() >= KEPT || self.bytes + key.len() > KEPT_BYTES {
            self.map.clear();
            self.bytes = 0;
        }
        self.bytes += key.len();
        let entry = Entry { names, exact, key: key.into(), text };
        self.map.insert(Self::hash(names, exact, key), entry);
    }

    fn find(&mut self, text: &str, names: u64) -> Result<Rc<Text>, bool> {
        let mut shape = std::mem::take(&mut self.shape);
        shape.clear();
        let plain = match sql::shape::shape(text.as_bytes(), &mut shape) {
            sql::shape::Shape::Plain => true,
            sql::shape::Shape::Opaque => false,
        };
        let found = if plain { self.get(names, false, &shape) } else { None };
        let found = match found {
            Some(Some(text)) => Ok(Rc::clone(text)),
            Some(None) | None => match self.get(names, true, text.as_bytes()) {
                Some(Some(text)) => Ok(Rc::clone(text)),
                Some(None) | None => Err(plain),
            },
        };
        self.shape = shape;
        found
    }

    fn keep(&mut self, text: &str, names: u64, plain: bool, analysed: &Rc<Text>) {
        let by_shape = plain && !analysed.analysis.literal_dependent;
        let shape = std::mem::take(&mut self.shape);
        if by_shape {
            self.put(names, false, &shape, Some(Rc::clone(analysed)));
        } else {
            self.put(names, true, text.as_bytes(), Some(Rc::clone(analysed)));
        }
        self.shape = shape;
    }
}

/// Analyses a text, or finds it. `None` when it is long and not known: give it to [`analyze_apart`] first.
pub(crate) fn analyze(text: &str, names: &Names) -> Option<Rc<Text>> {
    look_up(text, names).map(|(analysed, _)| analysed)
}

/// The same, and whether it was found.
pub(crate) fn look_up(text: &str, names: &Names) -> Option<(Rc<Text>, bool)> {
    let found = CACHE.with_borrow_mut(|cache| cache.find(text, names.id));
    match found {
        Ok(text) => Some((text, true)),
        Err(_) if text.len() > LONG_TEXT => None,
        Err(plain) => {
            let analysed = Text::new(run(text, names), names.id);
            CACHE.with_borrow_mut(|cache| cache.keep(text, names.id, plain, &analysed));
            Some((analysed, false))
        }
    }
}

fn run(text: &str, names: &Names) -> Analysis {
    let context =
        Context { catalog: &names.catalog, search_path: &names.path, fresh: &names.fresh, caps: Caps::default() };
    sql::analyze(text, &context)
}

/// Analyses a long text on a thread of its own, one at a time for the whole process.
pub(crate) async fn analyze_apart(text: String, names: Names) -> Rc<Text> {
    static ONE: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(1);
    let permit = ONE.acquire().await;
    let (send, receive) = tokio::sync::oneshot::channel();
    let (for_thread, its_names) = (text.clone(), names.clone());
    let thread = std::thread::Builder::new().name("sql".to_owned()).stack_size(sql::STACK);
    let spawned = thread.spawn(move || {
        // The session may be gone by now; then nobody wants the answer.
        let _wanted = send.send(run(&for_thread, &its_names));
        // Not before: a session that left must not let a second analysis start beside this one.
        drop(permit);
    });
    let analysis = match spawned {
        Ok(_detached) => receive.await.ok(),
        Err(_) => None,
    };
    let analysis = analysis.unwrap_or_else(|| not_analysed(&text));
    let analysed = Text::new(analysis, names.id);
    CACHE.with_borrow_mut(|cache| {
        let plain = cache.find(&text, names.id).err().unwrap_or(false);
        cache.keep(&text, names.id, plain, &analysed);
    });
    analysed
}

fn not_analysed(text: &str) -> Analysis {
    let mut intent = Intent::simple(2, "UNKNOWN", Action::bare(Effect::Unknown));
    intent.reasons.push("the text could not be analysed".to_owned());
    intent.reads_unknown = true;
    intent.moves_unknown = true;
    let intent = Arc::new(intent);
    Analysis {
        statements: vec![Statement {
            intent: Arc::clone(&intent),
            kind: Kind::Unparsed,
            outputs: sql::Outputs::Unknown,
            counted: false,
            bound: None,
            path: Vec::new(),
            start: 0,
            len: text.len(),
        }],
        intent,
        literal_dependent: true,
        misses: Vec::new(),
        comparands: Vec::new(),
        fresh: Fresh::unknown(),
        problem: None,
    }
}

/// Everything that `parts` would do, as one intent.
pub(crate) fn union<'a>(label: &str, parts: impl Iterator<Item = &'a Arc<Intent>>) -> Arc<Intent> {
    let mut all = Intent::simple(0, label, Action::bare(Effect::Unknown));
    all.actions.clear();
    let mut hasher = blake3::Hasher::new_derive_key("sallyport union of intents v1");
    for part in parts {
        hasher.update(&part.id.0.to_le_bytes());
        all.actions.extend(part.actions.iter().cloned());
        all.flags.unbounded |= part.flags.unbounded;
        all.flags.multi |= part.flags.multi;
        all.predicates.extend(part.predicates.iter().cloned());
        all.reads.extend(part.reads.iter().cloned());
        all.reads_unknown |= part.reads_unknown;
        all.moves.extend(part.moves.iter().cloned());
        all.moves_unknown |= part.moves_unknown;
        all.reasons.extend(part.reasons.iter().cloned());
    }
    if all.actions.is_empty() {
        all.actions.push(Action::bare(Effect::Unknown));
        all.reasons.push("a name that this session has not prepared".to_owned());
    }
    sort(&mut all.actions);
    sort(&mut all.predicates);
    sort(&mut all.reads);
    sort(&mut all.moves);
    all.id = id_of(&hasher);
    Arc::new(all)
}

fn sort<T: Ord>(list: &mut Vec<T>) {
    list.sort_unstable();
    list.dedup();
}

fn id_of(hasher: &blake3::Hasher) -> IntentId {
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    IntentId(u128::from_le_bytes(bytes))
}

/// The same intent, found to touch all rows now that its values are known.
pub(crate) fn unbounded(intent: &Arc<Intent>) -> Arc<Intent> {
    let mut wider = intent.as_ref().clone();
    wider.flags.unbounded = true;
    let mut hasher = blake3::Hasher::new_derive_key("sallyport unbounded intent v1");
    hasher.update(&intent.id.0.to_le_bytes());
    wider.id = id_of(&hasher);
    Arc::new(wider)
}

/// What a name that nothing is known about would do.
pub(crate) fn unknown_name(what: &str) -> Arc<Intent> {
    let mut intent = Intent::simple(3, what, Action::on(Effect::Unknown, Object::new(ObjectKind::Other, "?.name")));
    intent.reads_unknown = true;
    intent.reasons.push(format!("{what} of a name that this session has not made"));
    Arc::new(intent)
}
