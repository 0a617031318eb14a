//! The proofs, one file each.

mod accounts;
mod adopt;
mod argocd;
mod compositions;
mod configuration;
mod create;
mod doctor;
mod faults;
mod fields;
mod guide;
mod interruption;
mod losses;
mod migration;
mod namespaced_migration;
mod nats_production;
mod ownership;
mod rbac;
mod readiness;
mod replicas;
mod secrets;

use std::path::PathBuf;

use anyhow::Result;

use crate::bench;

/// The static reference worker that claims run.
#[derive(clap::Args)]
pub(crate) struct Worker {
    /// A static binary of agent-executor.
    #[arg(value_name = "FILE")]
    worker: PathBuf,
}

/// All proofs can be started alike.
#[derive(clap::Args)]
pub(crate) struct NoWorker {
    /// Not needed by this proof; taken, because `testbed/test` names a worker to each.
    #[arg(value_name = "FILE")]
    _worker: Option<PathBuf>,
}

/// Which proof. Its name is that of its entry in `testbed/proofs`.
#[derive(clap::Subcommand)]
pub(crate) enum Proofs {
    Accounts(accounts::Args),
    Compositions(compositions::Args),
    Configuration(configuration::Args),
    Create(create::Args),
    Interruption(interruption::Args),
    Doctor(doctor::Args),
    Ownership(ownership::Args),
    Adopt(adopt::Args),
    Migration(migration::Args),
    Argocd(argocd::Args),
    Faults(faults::Args),
    Fields(fields::Args),
    Losses(losses::Args),
    NamespacedMigration(namespaced_migration::Args),
    NatsProduction(nats_production::Args),
    Guide(guide::Args),
    Bench(bench::Args),
    Rbac(rbac::Args),
    Readiness(readiness::Args),
    Replicas(replicas::Args),
    Secrets(secrets::Args),
}

impl Proofs {
    /// Carries it out.
    pub(crate) async fn run(&self) -> Result<()> {
        match self {
            Self::Accounts(args) => accounts::run(args).await,
            Self::Compositions(args) => compositions::run(args).await,
            Self::Configuration(args) => configuration::run(args).await,
            Self::Create(args) => create::run(args).await,
            Self::Interruption(args) => interruption::run(args).await,
            Self::Doctor(args) => doctor::run(args).await,
            Self::Ownership(args) => ownership::run(args).await,
            Self::Adopt(args) => adopt::run(args).await,
            Self::Migration(args) => migration::run(args).await,
            Self::Argocd(args) => argocd::run(args).await,
            Self::Faults(args) => faults::run(args).await,
            Self::Fields(args) => fields::run(args).await,
            Self::Losses(args) => losses::run(args).await,
            Self::NamespacedMigration(args) => namespaced_migration::run(args).await,
            Self::NatsProduction(args) => nats_production::run(args).await,
            Self::Guide(args) => guide::run(args).await,
            Self::Bench(args) => bench::run(args).await,
            Self::Rbac(args) => rbac::run(args).await,
            Self::Readiness(args) => readiness::run(args).await,
            Self::Replicas(args) => replicas::run(args).await,
            Self::Secrets(args) => secrets::run(args).await,
        }
    }
}
