//! The configuration as it is written: strict, every key known. [`super::load`] turns it into a [`super::Config`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::duration::Span;

/// One configuration file. With a directory, each top-level key is in one file only.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Sallyport configuration")]
pub(crate) struct Document {
    /// Where state is kept: database, keys, recordings. `--data-dir` and SALLYPORT_DATA_DIR come first.
    pub(crate) data_dir: Option<PathBuf>,
    /// Addresses to listen on.
    pub(crate) listen: Option<Listen>,
    /// The gateway's own certificate; made at the first start when absent.
    pub(crate) tls: Option<Tls>,
    /// What clients may prove themselves with.
    pub(crate) auth: Option<Vec<AuthMethod>>,
    /// The protected resources.
    pub(crate) targets: Option<Vec<TargetDoc>>,
    /// Identity providers whose tokens are accepted.
    pub(crate) issuers: Option<Vec<identity::config::IssuerConfig>>,
    /// SSH keys that prove identities.
    pub(crate) ssh: Option<identity::config::SshConfig>,
    /// The policy: a file, a directory, or several of them.
    #[schemars(with = "Option<OneOrMany>")]
    pub(crate) policy: Option<Spanned<OneOrMany>>,
    /// Bounds on clients as a whole; limits on identities are policy.
    pub(crate) limits: Option<LimitsDoc>,
    /// How the gateway logs.
    pub(crate) log: Option<Log>,
    /// Where traces go.
    pub(crate) otlp: Option<Otlp>,
    /// How held commands wait.
    pub(crate) approvals: Option<ApprovalsDoc>,
    /// How recordings are kept.
    pub(crate) recordings: Option<RecordingsDoc>,
    /// Tokens that the gateway issues.
    pub(crate) tokens: Option<TokensDoc>,
    /// Who may see health and metrics.
    pub(crate) metrics: Option<MetricsDoc>,
    /// How long sessions get to end when the gateway stops.
    pub(crate) drain: Option<Span>,
}

/// Addresses to listen on; port 0 takes a free one and writes it to `listen.json`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Listen {
    /// For PostgreSQL clients.
    pub(crate) postgres: String,
    /// For SSH clients; 127.0.0.1:6422 when absent. Nobody listens there while no target is of kind `ssh`.
    pub(crate) ssh: Option<String>,
    /// For the API, health and metrics. Plain HTTP on loopback, TLS elsewhere.
    pub(crate) api: String,
    /// Addresses of load balancers that send the PROXY header, as networks.
    pub(crate) proxy_from: Vec<String>,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            postgres: "127.0.0.1:6432".to_owned(),
            ssh: None,
            api: "127.0.0.1:8460".to_owned(),
            proxy_from: Vec::new(),
        }
    }
}

/// The gateway's own certificate.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tls {
    /// Certificate chain, PEM.
    pub(crate) cert: Option<PathBuf>,
    /// Its key, PEM.
    pub(crate) key: Option<PathBuf>,
    /// More names and addresses for a certificate that the gateway makes itself.
    pub(crate) names: Vec<String>,
}

/// What a client may prove itself with. All of them carry a Sallyport token or an issuer's JWT.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AuthMethod {
    /// The password message, inside TLS only.
    Password,
    /// SCRAM-SHA-256, the token as password.
    Scram,
    /// OAUTHBEARER, inside TLS only.
    Oauthbearer,
}

/// One path or several.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    /// One.
    One(PathBuf),
    /// Several.
    Many(Vec<PathBuf>),
}

impl OneOrMany {
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        match self {
            Self::One(path) => vec![path.clone()],
            Self::Many(paths) => paths.clone(),
        }
    }
}

/// Bounds on clients as a whole.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsDoc {
    /// Client connections at once.
    pub(crate) max_connections: usize,
    /// Connections that have not logged in yet, per source address.
    pub(crate) max_logins_per_address: usize,
    /// Time for a client to log in.
    pub(crate) login_timeout: Span,
    /// Largest message of a client in bytes. COPY data of any size passes, in pieces.
    pub(crate) max_message: u32,
    /// Threads that serve connections; absent: one for two cores.
    pub(crate) workers: Option<std::num::NonZero<usize>>,
}

impl Default for LimitsDoc {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_logins_per_address: 64,
            login_timeout: Span::seconds(10),
            max_message: 16 << 20,
            workers: None,
        }
    }
}

/// How the gateway logs.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// `text` or `json`.
    pub(crate) format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,sallyport_gate=debug`.
    pub(crate) level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Where traces go.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Otlp {
    /// The collector's OTLP/HTTP address: `http://127.0.0.1:4318`.
    pub(crate) endpoint: String,
}

/// How held commands wait.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ApprovalsDoc {
    /// Start of the links that waiting clients see; the CLI command is shown when absent.
    pub(crate) url: Option<String>,
    /// Longest wait while the client has a transaction open: a hold keeps its locks.
    pub(crate) in_transaction: Span,
    /// Requests, with their texts and bind values, are forgotten this long after they expired.
    pub(crate) keep: Span,
}

impl Default for ApprovalsDoc {
    fn default() -> Self {
        Self { url: None, in_transaction: Span::seconds(60), keep: Span::seconds(30 * 24 * 3600) }
    }
}

/// How recordings are kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RecordingsDoc {
    /// Closed recordings older than this are deleted, with a signed note; kept for ever when absent.
    pub(crate) keep: Option<Span>,
}

/// Tokens that the gateway issues.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TokensDoc {
    /// How long a token lives when nothing is said.
    pub(crate) ttl: Span,
    /// How long a token may live at most.
    pub(crate) max_ttl: Span,
}

impl Default for TokensDoc {
    fn default() -> Self {
        Self { ttl: Span::seconds(15 * 60), max_ttl: Span::seconds(24 * 3600) }
    }
}

/// Who may see health and metrics.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MetricsDoc {
    /// Whether `/metrics` and `/readyz` need no identity from other machines either.
    pub(crate) open: bool,
}

/// One protected resource. Keys that are not named here are options of its protocol, checked by the protocol.
#[derive(Debug)]
pub(crate) struct TargetDoc {
    /// The name that clients use.
    pub(crate) name: Spanned<String>,
    /// The protocol.
    pub(crate) kind: Spanned<String>,
    /// `host:port`.
    pub(crate) address: Spanned<String>,
    /// Labels for policy.
    pub(crate) labels: BTreeMap<String, String>,
    /// The role of a session that names none; the only role when there is one.
    pub(crate) default_role: Option<Spanned<String>>,
    /// Named credentials.
    pub(crate) roles: BTreeMap<String, secrets::RoleConfig>,
    /// The protocol's own options.
    pub(crate) options: Vec<(Spanned<String>, serde_json::Value)>,
}

impl<'de> Deserialize<'de> for TargetDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TargetVisitor)
    }
}

/// Reads a target key by key, so that a problem inside it has its own line and the protocol's options keep theirs.
struct TargetVisitor;

impl<'de> Visitor<'de> for TargetVisitor {
    type Value = TargetDoc;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a target: name, kind, address, roles")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TargetDoc, A::Error> {
        let (mut name, mut kind, mut address, mut default_role) = (None, None, None, None);
        let (mut labels, mut roles, mut options) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            match key.value.as_str() {
                "name" => name = Some(map.next_value()?),
                "kind" => kind = Some(map.next_value()?),
                "address" => address = Some(map.next_value()?),
                "labels" => labels = map.next_value()?,
                "default_role" => default_role = Some(map.next_value()?),
                "roles" => roles = map.next_value()?,
                _ => options.push((key, map.next_value()?)),
            }
        }
        Ok(TargetDoc {
            name: name.ok_or_else(|| A::Error::missing_field("name"))?,
            kind: kind.ok_or_else(|| A::Error::missing_field("kind"))?,
            address: address.ok_or_else(|| A::Error::missing_field("address"))?,
            labels,
            default_role,
            roles,
            options,
        })
    }
}

impl JsonSchema for TargetDoc {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Target")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let role = generator.subschema_for::<secrets::RoleConfig>();
        let kinds: Vec<&str> = crate::protocols::ALL.iter().map(|protocol| protocol.id.0).collect();
        json_schema!({
            "type": "object",
            "description": "A protected resource; other keys are options of its protocol",
            "required": ["name", "kind", "address", "roles"],
            "properties": {
                "name": { "type": "string", "description": "The name that clients use" },
                "kind": { "enum": kinds, "description": "The protocol" },
                "address": { "type": "string", "description": "host:port" },
                "labels": { "type": "object", "additionalProperties": { "type": "string" } },
                "default_role": { "type": "string", "description": "The role of a session that names none" },
                "roles": { "type": "object", "minProperties": 1, "additionalProperties": role }
            }
        })
    }
}
