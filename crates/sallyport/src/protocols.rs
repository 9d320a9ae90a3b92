//! The table of protocols. Adding one is one row here.

use std::sync::Arc;

use anyhow::{Context, Result};
use gate::ports::BoxFuture;
use gate::{Gate, Grant};
use ipnet::IpNet;
use model::ProtocolId;
use postgres::config::{AuthMethods, LoginSettings, PATH_OPTIONS, PostgresListen, ROLE_OPTIONS, TargetOptions};
use postgres::upstream::StartupParams;
use serde_json::Value;

use crate::config::Config;
use crate::config::document::AuthMethod;
use crate::data::Layout;
use crate::probe::Reached;

/// One protocol as the binary sees it.
pub(crate) struct Protocol {
    /// The `kind` of its targets.
    pub(crate) id: ProtocolId,
    /// Options of its targets that are paths, made relative to the configuration's file.
    pub(crate) path_options: &'static [&'static str],
    /// Options of its targets that name one of the target's roles.
    pub(crate) role_options: &'static [&'static str],
    /// Checks a target's options and says what is wrong.
    pub(crate) check_options: fn(&Value) -> Result<(), String>,
    /// Logs in to a target with its own credential, and out again.
    pub(crate) reach: fn(Arc<Grant>, Layout) -> BoxFuture<'static, Result<Reached>>,
}

/// All protocols.
pub(crate) const ALL: &[Protocol] = &[
    Protocol {
        id: postgres::PROTOCOL,
        path_options: PATH_OPTIONS,
        role_options: ROLE_OPTIONS,
        check_options: |options| TargetOptions::from_value(options).map(drop).map_err(|error| error.to_string()),
        reach: |grant, _| Box::pin(async move { reach_postgres(&grant).await }),
    },
    Protocol {
        id: ssh::PROTOCOL,
        path_options: &[],
        role_options: &[],
        check_options: |options| {
            ssh::config::TargetOptions::from_value(options).map(drop).map_err(|error| error.to_string())
        },
        reach: |grant, layout| Box::pin(async move { reach_ssh(&grant, &layout).await }),
    },
];

async fn reach_postgres(grant: &Grant) -> Result<Reached> {
    let options = TargetOptions::from_value(&grant.endpoint().options)?;
    let startup =
        StartupParams { database: None, application_name: "sallyport targets check".to_owned(), settings: Vec::new() };
    let reached = postgres::upstream::connect(grant, &options, &startup).await?;
    let version = reached.parameters.iter().find(|(name, _)| name == "server_version").map(|(_, value)| value.as_str());
    let link =
        reached.tls.as_ref().map_or_else(|| "no TLS".to_owned(), |tls| format!("{} {}", tls.version, tls.cipher));
    Ok(Reached { detail: format!("PostgreSQL {}, {link}", version.unwrap_or_default()), user: reached.user })
}

async fn reach_ssh(grant: &Grant, layout: &Layout) -> Result<Reached> {
    let options = ssh::config::TargetOptions::from_value(&grant.endpoint().options)?;
    let reached = ssh::probe::log_in(grant, &options, &layout.ssh_known()).await.map_err(anyhow::Error::msg)?;
    Ok(Reached { user: reached.user, detail: reached.link })
}

/// The protocol of a target's kind.
pub(crate) fn find(kind: &str) -> Option<&'static Protocol> {
    ALL.iter().find(|protocol| protocol.id.0 == kind)
}

/// Problems with files that targets name, each in one line.
pub(crate) fn check_files(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    for target in &config.targets {
        let Some(protocol) = find(&target.target.kind) else {
            continue;
        };
        for option in protocol.path_options {
            if let Some(path) = target.endpoint.options.get(option).and_then(Value::as_str)
                && let Err(error) = std::fs::File::open(path)
            {
                let why = crate::config::load::unreadable(&error);
                problems.push(format!("target {}: `{option}`: {path}: {why}", target.target.name));
            }
        }
    }
    problems
}

/// The PostgreSQL listener of a configuration.
pub(crate) fn postgres_listen(config: &Config) -> Result<PostgresListen> {
    let methods = if config.auth.is_empty() {
        AuthMethods::default()
    } else {
        AuthMethods {
            password: config.auth.contains(&AuthMethod::Password),
            scram: config.auth.contains(&AuthMethod::Scram),
            oauthbearer: config.auth.contains(&AuthMethod::Oauthbearer),
        }
    };
    Ok(PostgresListen {
        login: LoginSettings { methods, ..LoginSettings::default() },
        max_message: usize::try_from(config.limits.max_message).context("limits.max_message")?,
    })
}

/// Limits of a listener, and what it sends those that it turns away.
fn limits(config: &Config, turned_away: Vec<u8>) -> Result<net::Limits> {
    let proxies = config
        .proxy_from
        .iter()
        .map(|text| {
            text.parse::<IpNet>()
                .with_context(|| format!("listen.proxy_from: {text} is not a network such as 10.0.0.0/8"))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(net::Limits {
        max_connections: config.limits.max_connections,
        max_unauthenticated_per_source: config.limits.max_logins_per_address,
        handshake: config.limits.login_timeout.get(),
        proxies,
        turned_away,
    })
}

/// Limits of the PostgreSQL listener.
pub(crate) fn postgres_limits(config: &Config) -> Result<net::Limits> {
    limits(config, postgres::login::turned_away())
}

/// Limits of the SSH listener. A line before the greeting is what a server may say there; OpenSSH's client shows it with `-v`.
pub(crate) fn ssh_limits(config: &Config) -> Result<net::Limits> {
    limits(config, b"sallyport: too many connections; try again shortly\r\n".to_vec())
}

/// The SSH server of a gate, with the key that it proves itself with.
pub(crate) fn ssh_server(gate: &Arc<Gate>, host_key: ssh::keys::own::SigningKey, layout: &Layout) -> Arc<ssh::Server> {
    let listen = ssh::config::SshListen::new(layout.ssh_known());
    ssh::Server::new(Arc::clone(gate), Arc::new(host_key), listen)
}

/// The PostgreSQL server of a gate.
pub(crate) fn postgres_server(
    gate: &Arc<Gate>,
    tls: &Arc<net::ServerTls>,
    config: &Config,
) -> Result<Arc<postgres::Server>> {
    Ok(postgres::Server::new(Arc::clone(gate), Arc::clone(tls), postgres_listen(config)?))
}
