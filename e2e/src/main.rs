//! The proofs that need a real cluster to be disturbed, carried out on the testbed: what is done, what must be true
//! within which time. Each promise that was kept is a line `ok   SENTENCE`.
//!
//! ```text
//! proofs     one file a proof: its steps, its tables
//! proof      begin, promise, wait, evidence, end: a run of `eds_cluster`, as `eds verify` has it
//! claim      the claim of a proof, what it says, and what became of it
//! api        objects of any kind, by kube's `Api<DynamicObject>`
//! eds        the command `eds`, what it prints and how it ends
//! testbed    the node: images, processes of containers, PostgreSQL, the scripts of `testbed/`
//! variants   the Composition in its four forms
//! bench      many claims at once, and `usage`, what the kernel counts meanwhile
//! ```
//!
//! It is started by `testbed/proofs/NAME`, inside the node's network. It must not know how a node is brought up.
//! Exit status: 0 all as promised, 1 something is not, 2 it could not be tried.

mod api;
mod bench;
mod claim;
mod eds;
mod proof;
mod proofs;
mod testbed;
mod usage;
mod variants;

use std::process::ExitCode;

use clap::Parser;

/// Prove on the testbed what only a real cluster can show.
///
/// EDS_PROOF_PATIENCE=3 waits three times as long, on a busy machine. Exit status: 0 all as promised, 1 something is
/// not, 2 it could not be tried.
#[derive(Parser)]
#[command(name = "e2e")]
struct Args {
    #[command(subcommand)]
    proof: proofs::Proofs,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(args.proof.run()),
        Err(error) => Err(error.into()),
    };
    let Err(error) = ended else { return ExitCode::SUCCESS };
    if error.is::<proof::Broken>() {
        // It was said when it was found, before the evidence.
        return ExitCode::from(1);
    }
    proof::error(&format!("{error:#}"));
    ExitCode::from(2)
}
