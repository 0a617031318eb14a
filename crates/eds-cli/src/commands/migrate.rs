//! `eds migrate`: from one form of the API to the other, in place.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use eds_cluster::migrate::{self, Ended, Migration, Obstacle};
use eds_core::form::Form;
use kube_object::printable::printable;

use crate::api::{Xrd, built_in_composition};
use crate::cluster::connected;
use crate::{Outcome, output};

/// Change the form in which a cluster offers EventDrivenServices, while they run.
///
/// Claims, composites and their XRD go, the other form's come; Deployments, ScaledObjects, Services
/// and ServiceAccounts stay, and are taken over. No pod is replaced. Without --apply nothing is
/// changed: it says what would be kept, and what stands in the way.
///
/// A run that was interrupted is continued by the next. What it keeps meanwhile is in a ConfigMap
/// beside each service. --to claims leads back. First install this version's functions and admission
/// policies (platform/04-apis/functions), and stop Argo CD from syncing the API. Needs the rights of a
/// cluster's administrator.
///
/// Exit status: 0 done, or nothing stands in the way; 1 something does; 2 it could not be carried out.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The form to go to.
    #[arg(long, value_enum)]
    to: To,
    /// Carry it out.
    #[arg(long)]
    apply: bool,
    /// Context of the kubeconfig, instead of the current one. KUBECONFIG names the file.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Seconds that each wait may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// Composites in their own namespaces.
    Namespaced,
    /// Claims, composed through provider-kubernetes.
    Claims,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let to = match args.to {
        To::Namespaced => Form::Namespaced,
        To::Claims => Form::Claims,
    };
    let api = migrate::Api {
        xrd: Xrd::load(None, to)?.value().clone(),
        composition: built_in_composition(to)?,
    };
    let limit = Duration::from_secs(args.timeout);
    let ended = connected(args.context.as_deref(), async |cluster| {
        Migration { cluster: &cluster, to, api, limit, say }.run(args.apply).await
    })?;
    match ended {
        Ended::Done(services) => say(&format!("done: {services} services, each Ready")),
        Ended::Planned(services) => say(&format!(
            "{services} services would be migrated, and nothing stands in the way: --apply does it"
        )),
        Ended::Refused(obstacles) => {
            for Obstacle { what, cause, fix } in &obstacles {
                say(&format!("{what} {cause}\n  fix: {fix}"));
            }
            say(&format!("nothing was touched: {} obstacles", obstacles.len()));
            return Ok(Outcome::Findings);
        }
    }
    Ok(Outcome::Fine)
}

fn say(line: &str) {
    for line in line.lines() {
        // Whoever reads along may have gone; the migration goes on.
        let _ = output::text(&format!("{}\n", printable(line)));
    }
}
