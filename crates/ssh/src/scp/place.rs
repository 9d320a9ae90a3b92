//! Where the files are that lines name: in the path of the command, or that path itself.

/// Characters of a path, above which a file is not carried: twice what Linux takes.
const PATH: usize = 8 * 1024;

/// The far side of a transfer: what the command says of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Far {
    /// `-t`: files come to the target.
    pub to_target: bool,
    /// `-r`: folders are expected.
    pub recursive: bool,
    top: Top,
}

/// What the command's path is to the first names.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Top {
    /// A folder: they are in it.
    Folder(String),
    /// A folder, or what is to be made itself: only the target knows. `file`: a file can only be in it, as the path ends in a slash.
    Either { path: String, file: bool },
    /// What is sent itself, and what it must be called, if that is certain.
    Itself { path: String, name: Option<String> },
}

/// Where something is, as far as the gateway knows: one place, or two of which only the target knows which.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Names of paths for rules.
    pub paths: Vec<String>,
    /// In one word for people: `/srv[/name]` is `/srv` or `/srv/name`.
    pub shown: String,
}

impl Place {
    fn one(path: String) -> Self {
        Self { shown: path.clone(), paths: vec![path] }
    }

    /// What is called so in this folder; `None` when it is too long.
    pub(super) fn below(&self, name: &str) -> Option<Self> {
        let place = Self {
            paths: self.paths.iter().map(|path| beside(path, name)).collect(),
            shown: beside(&self.shown, name),
        };
        (place.shown.len() <= PATH).then_some(place)
    }
}

fn beside(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

impl Far {
    /// `words` are the command's; `constant`: no glob or tilde is in them; `path` is what rules call the command's path, without `.` and `..`.
    #[must_use]
    pub fn new(words: &shell::Scp, constant: bool, path: &str) -> Self {
        let given = words.path.trim_end_matches('/');
        let last = given.rsplit('/').next().unwrap_or_default();
        // A tilde is expanded on the target.
        let nameless = matches!(last, "" | "." | "..") || (!constant && last.starts_with('~'));
        let path = path.to_owned();
        let top = if words.to_target {
            if words.directory || nameless {
                Top::Folder(path)
            } else {
                Top::Either { path, file: !words.path.ends_with('/') }
            }
        } else if !constant && last.contains(['*', '?', '[']) {
            Top::Folder(parent(&path).to_owned())
        } else {
            Top::Itself { path, name: (!nameless).then(|| last.to_owned()) }
        };
        Self { to_target: words.to_target, recursive: words.recursive, top }
    }

    /// Where the first names are.
    ///
    /// # Errors
    /// When this was not asked for.
    pub(super) fn first(&self, folder: bool, name: &str) -> Result<Option<Place>, &'static str> {
        match &self.top {
            Top::Folder(path) => Ok(Place::one(path.clone()).below(name)),
            // In a path with a slash at its end a file can only be made when it is a folder; a folder may be made of it.
            Top::Either { path, file } if !folder && !file => Ok(Place::one(path.clone()).below(name)),
            Top::Either { path, .. } => {
                let inside = beside(path, name);
                let place = Place { shown: format!("{path}[/{name}]"), paths: vec![path.clone(), inside] };
                Ok((place.shown.len() <= PATH).then_some(place))
            }
            Top::Itself { name: Some(expected), .. } if expected != name => Err("a name that was not asked for"),
            Top::Itself { path, .. } => Ok(Some(Place::one(path.clone()))),
        }
    }
}

/// The folder that a path names something in.
fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((folder, _)) => folder,
    }
}
