//! Memory of a proxy per open session that does nothing.

use std::time::Duration;

use anyhow::{Context, Result};
use sallyport_tests::clients::ALLOW_ALL;
use sallyport_tests::kit::wire::Wire;

use crate::Plan;
use crate::figures::Figure;
use crate::peers::{Way, World};
use crate::rate::mib;
use crate::usage;

/// The scenarios of this file.
pub(crate) fn names() -> Vec<String> {
    ["idle/clear", "idle/tls"].map(str::to_owned).to_vec()
}

/// Opens the sessions, lets them be, and reads what the proxy's memory grew by.
pub(crate) fn measure(world: &World, plan: &Plan, name: &str) -> Result<Vec<Figure>> {
    let tls = name == "idle/tls";
    let mut figures = Vec::new();
    // pgbouncer is measured in clear text only: it has no certificate here.
    let bouncer = world.ways(false).into_iter().find(|way| way.name == "pgbouncer" && !tls);
    if let Some(way) = bouncer {
        figures.push(one(name, &way, plan)?);
    }
    // A gateway of its own, whose memory nothing else has touched.
    if let Some((gateway, way)) = world.another(ALLOW_ALL, tls)? {
        figures.push(one(name, &way, plan)?);
        drop(gateway);
    }
    Ok(figures)
}

fn one(name: &str, way: &Way, plan: &Plan) -> Result<Figure> {
    let pid = way.pid.context("a proxy without a process")?;
    // One session first: what is made once is not counted per session.
    drop(Wire::login(&way.dsn)?);
    std::thread::sleep(Duration::from_millis(500));
    let (before, used) = (usage::memory(pid, "VmRSS")?, usage::cpu(pid)?);
    let sessions = (0..plan.sessions).map(|_| Wire::login(&way.dsn)).collect::<Result<Vec<_>>>()?;
    let logins = usage::cpu(pid)?.saturating_sub(used);
    std::thread::sleep(Duration::from_secs(3));
    let grown = usage::memory(pid, "VmRSS")?.saturating_sub(before);
    let count = f64::from(u32::try_from(sessions.len().max(1))?);
    Ok(Figure {
        scenario: name.to_owned(),
        way: way.name,
        unit: "KiB/session",
        value: mib(grown) * 1024.0 / count,
        ratio: None,
        // Here: of one login.
        cpu: Some(logins.as_secs_f64() * 1e6 / count),
        peak: Some(mib(usage::memory(pid, "VmHWM")?)),
    })
}
