//! Command lines of clouds: `aws service operation`, `gcloud group… verb`, `az group… verb`.

use model::{Effect, EffectSet};

use super::options::Parsed;
use super::{Call, Judge, Outcome};
use crate::globs::Arg;

/// Operations that read, but give out what opens doors.
const CREDENTIALS: [&str; 12] = [
    "get-cluster-credentials-with-iam",
    "get-session-token",
    "get-federation-token",
    "get-login",
    "get-login-password",
    "get-authorization-token",
    "get-role-credentials",
    "get-credentials-for-identity",
    "get-password-data",
    "get-token",
    "get-cluster-credentials",
    "get-secret-value",
];
/// Operations that read, and write what they got into a file that is named by an operand.
const STREAMS: [&str; 41] = [
    "get-object",
    "get-object-torrent",
    "get-job-output",
    "get-export",
    "get-sdk",
    "get-media",
    "get-package-version-asset",
    "get-snapshot-block",
    "get-thing-shadow",
    "get-work-unit-results",
    "get-tile",
    "get-raw-message-content",
    "get-configuration",
    "get-latest-configuration",
    "get-hosted-configuration-version",
    "get-introspection-schema",
    "get-function",
    "get-connection-function",
    "get-profile",
    "get-lineage-event",
    "get-glyphs",
    "get-sprites",
    "get-static-map",
    "get-style-descriptor",
    "get-map-glyphs",
    "get-map-sprites",
    "get-map-style-descriptor",
    "get-map-tile",
    "get-position-estimate",
    "get-resource-position",
    "get-clip",
    "get-media-for-fragment-list",
    "describe-input-device-thumbnail",
    "get-image-frame",
    "get-image-set-metadata",
    "get-read-set",
    "get-reference",
    "get-code-binding-source",
    "get-sol-function-package-content",
    "get-sol-function-package-descriptor",
    "get-sol-network-package-content",
];
/// Shapes of output that show of a secret only that it is there.
const SHAPES: [&str; 2] = ["name", "wide"];
/// Services in which every change is one of rights.
const RIGHTS: [&str; 8] = ["iam", "sts", "organizations", "sso", "sso-admin", "identitystore", "ram", "cognito-idp"];

impl Judge<'_> {
    /// AWS names operations by verb, in every service.
    pub(super) fn aws(&mut self, call: &Call<'_>) -> Outcome {
        let global = call.reader(true).read(call.rest);
        let rest = call.rest.get(global.read..).unwrap_or_default();
        let (service, operation, words) = match rest {
            [service, operation, words @ ..] if !service.is_glob() && !operation.is_glob() => {
                (service.text.as_str(), operation.text.as_str(), words)
            }
            _ => return self.execute("aws: no service and operation"),
        };
        let mut outcome =
            if service == "s3" { s3(operation) } else { Outcome::of(operation_effects(service, operation)) };
        outcome.effects = outcome.effects.iter().chain(global.effects.iter()).collect();
        // Options may be cut short.
        if words.iter().any(|word| word.text.len() > 2 && "--with-decryption".starts_with(word.text.as_str())) {
            outcome.effects.insert(Effect::Grant);
        }
        if let Some(why) =
            global.reason.or_else(|| aws_words(words, service == "s3" || (service, operation) == ("logs", "tail")))
        {
            self.say(format!("aws: {why}"));
            outcome.effects.insert(Effect::Execute);
        }
        outcome.text()
    }

    /// gcloud and az: groups, then a verb.
    pub(super) fn groups(&mut self, call: &Call<'_>) -> Outcome {
        let parsed = call.reader(false).read(call.rest);
        if let Some(why) = parsed.reason {
            return self.execute(format!("{}: {why}", call.tool)).text();
        }
        let mut operands = parsed.operands.iter();
        // A name that stands where a group could is never taken for a verb: all before the verb must be groups.
        let verb = operands.by_ref().find(|arg| !GROUPS.contains(&arg.text.as_str()) || arg.is_glob());
        let effect = match verb.map(|arg| arg.text.as_str()) {
            Some(
                "list" | "ls" | "describe" | "show" | "version" | "info" | "get-iam-policy" | "list-tags" | "get-value"
                | "read",
            ) => Effect::Read,
            Some("delete" | "purge") => Effect::Destroy,
            Some("create") => Effect::Create,
            Some("update" | "set" | "patch" | "start" | "stop" | "restart" | "resize" | "scale") => Effect::Alter,
            Some(
                "add-iam-policy-binding" | "remove-iam-policy-binding" | "set-iam-policy" | "get-credentials" | "login",
            ) => Effect::Grant,
            Some(_) | None => return self.execute(format!("{}: a verb that is not known", call.tool)).text(),
        };
        if parsed.operands.iter().any(|arg| arg.is_glob()) {
            return self.unknown(format!("{}: a glob", call.tool));
        }
        Outcome::of(parsed.effects.iter().chain([effect])).text()
    }
}

/// Groups of gcloud and az in which `list` and `describe` or `show` only look.
const GROUPS: [&str; 75] = [
    "compute",
    "instances",
    "instance-groups",
    "managed",
    "instance-templates",
    "disks",
    "images",
    "snapshots",
    "networks",
    "subnets",
    "firewall-rules",
    "addresses",
    "forwarding-rules",
    "backend-services",
    "url-maps",
    "health-checks",
    "zones",
    "regions",
    "machine-types",
    "routers",
    "routes",
    "container",
    "clusters",
    "node-pools",
    "operations",
    "sql",
    "databases",
    "backups",
    "projects",
    "iam",
    "roles",
    "service-accounts",
    "logging",
    "logs",
    "sinks",
    "metrics",
    "config",
    "configurations",
    "functions",
    "run",
    "services",
    "revisions",
    "pubsub",
    "topics",
    "subscriptions",
    "dns",
    "managed-zones",
    "record-sets",
    "redis",
    "artifacts",
    "repositories",
    "docker",
    "app",
    "versions",
    "auth",
    "storage",
    "buckets",
    "builds",
    "organizations",
    "vm",
    "vmss",
    "aks",
    "nodepool",
    "group",
    "account",
    "network",
    "vnet",
    "nsg",
    "rule",
    "public-ip",
    "lb",
    "webapp",
    "acr",
    "resource",
    "nic",
];

fn s3(operation: &str) -> Outcome {
    match operation {
        "ls" => Outcome::read(),
        "rm" => Outcome::of([Effect::Delete]),
        "rb" => Outcome::of([Effect::Destroy]),
        "mb" => Outcome::of([Effect::Create]),
        "presign" => Outcome::of([Effect::Grant]),
        "cp" | "mv" | "sync" => Outcome::of([Effect::Write, Effect::Delete, Effect::Export, Effect::Import]),
        _ => Outcome::of([Effect::Execute]),
    }
}

/// What a cluster's API server is asked for beyond what the subcommand says: paths that it hands on to nodes, pods and services, files that it is to be
/// asked about, which may be anywhere, and secrets with what is in them.
pub(super) fn cluster(call: &Call<'_>, own: EffectSet, parsed: &Parsed<'_>) -> EffectSet {
    if !matches!(call.tool, "kubectl" | "oc") || !own.contains(Effect::Read) && !own.contains(Effect::Alter) {
        return EffectSet::EMPTY;
    }
    let values = |names: &'static [&'static str]| {
        parsed.options.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value.unwrap_or("*"))
    };
    let mut effects = Vec::new();
    let on = |path: &str| path.contains("proxy") || path.contains(['%', '\\']) || path.contains("..");
    let globs = call.rest.iter().any(Arg::is_glob);
    if values(&["--raw"]).any(|path| globs || on(path)) {
        effects.push(Effect::Execute);
    }
    let named = parsed.operands.iter().enumerate().any(|(at, operand)| {
        let kinds = operand.text.split(',').filter(|kind| at == 0 || kind.contains('/'));
        operand.is_glob() || kinds.into_iter().any(is_secret)
    });
    let files = || values(&["-f", "--filename", "-k", "--kustomize"]);
    if files().any(|file| file.contains("://")) {
        effects.push(Effect::Execute);
    }
    // From this level of its log on, what the server says is in it.
    let logged = |level: &str| level.parse::<u32>().map_or(true, |level| level > 5);
    let whole = values(&["-o", "--output", "--template"]).any(|shape| !SHAPES.contains(&shape))
        || values(&["-v", "--v"]).any(logged)
        || call.before.iter().any(|word| is_loud(&word.text));
    if (named || files().next().is_some()) && whole
        || values(&["--raw"]).any(|path| path.split(['/', '?']).any(is_secret))
    {
        effects.push(Effect::Grant);
    }
    effects.into_iter().collect()
}

/// Whether an option before the subcommand asks for a log with what the server says.
fn is_loud(word: &str) -> bool {
    let level = word.strip_prefix("--v").or_else(|| word.strip_prefix("-v"));
    level.is_some_and(|level| !matches!(level.trim_start_matches('=').as_bytes(), [b'0'..=b'5']))
}

/// Whether a kind of a cluster's objects, as `kubectl` lets it be written, is that of secrets.
fn is_secret(kind: &str) -> bool {
    let kind = kind.split(['/', '.']).next().unwrap_or_default();
    kind.eq_ignore_ascii_case("secret") || kind.eq_ignore_ascii_case("secrets")
}

/// The effects of an operation by its verb (design: `Get* List* Describe*` read, `Delete* Terminate*` destroy).
fn operation_effects(service: &str, operation: &str) -> Vec<Effect> {
    let verb = operation.split('-').next().unwrap_or_default();
    if CREDENTIALS.contains(&operation) || service == "configure" && operation == "get" {
        return vec![Effect::Read, Effect::Grant];
    }
    if STREAMS.contains(&operation) {
        return vec![Effect::Read, Effect::Write];
    }
    match verb {
        // The client's own: it copies a file from a cluster.
        "get" if operation == "get" => vec![Effect::Execute],
        "get" | "list" | "describe" | "head" | "lookup" | "filter" | "scan" | "query" | "search" | "wait" => {
            vec![Effect::Read]
        }
        "tail" if service == "logs" => vec![Effect::Read],
        _ if operation.starts_with("batch-get-") => vec![Effect::Read],
        // A shell on a machine, or ports of it.
        "start" if operation == "start-session" => vec![Effect::Execute, Effect::Tunnel],
        "start" if !matches!(service, "ec2" | "rds" | "neptune" | "docdb" | "redshift") => vec![Effect::Execute],
        _ if RIGHTS.contains(&service) => vec![Effect::Grant],
        "delete" | "terminate" | "purge" => vec![Effect::Destroy],
        "create" | "run" | "allocate" | "register" | "import" => vec![Effect::Create],
        "put" | "update" | "modify" | "tag" | "untag" | "set" | "add" | "remove" | "reboot" | "start" | "stop"
        | "attach" | "detach" => {
            vec![Effect::Alter]
        }
        _ => vec![Effect::Execute],
    }
}

/// Words after the operation: options and their values. What reads or writes a file of this machine, or asks another server, is not certain.
fn aws_words(words: &[Arg], operands: bool) -> Option<String> {
    const ELSEWHERE: [&str; 7] = [
        "--save-as",
        "--endpoint-url",
        "--cli-input-json",
        "--cli-input-yaml",
        "--ca-bundle",
        "--no-verify-ssl",
        "--generate-cli-skeleton",
    ];
    let mut value_may_follow = operands;
    for word in words {
        let text = word.text.as_str();
        if word.is_glob() {
            return Some("a glob".to_owned());
        }
        if text.contains("file://")
            || text.contains("fileb://")
            || text.contains("http://")
            || text.contains("https://")
        {
            return Some("a value from a file or an address".to_owned());
        }
        if text.starts_with("--") {
            let name = text.split('=').next().unwrap_or_default();
            // The client accepts any beginning of an option's name.
            if name.len() > 2 && ELSEWHERE.iter().any(|long| long.starts_with(name)) {
                return Some(format!("option `{}`", super::options::shown(name)));
            }
            value_may_follow = true;
        } else if !value_may_follow {
            return Some("an operand, which may be a file to write".to_owned());
        }
    }
    // The one kind of operand there is comes last, and looks like the value of the option before it.
    None
}
