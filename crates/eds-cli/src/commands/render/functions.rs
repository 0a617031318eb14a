//! The functions of a pipeline: built in, running elsewhere, or left out.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use eds_core::composition::{self, BuiltIn, Composition, Step};
use eds_core::functions::accepted;
use eds_function::convert::{request_to_wire, response_from_wire};
use eds_function::proto::v1::function_runner_service_client::FunctionRunnerServiceClient;
use kube_object::object::Fields;
use patch_and_transform::protocol::{Object, RunFunctionRequest, RunFunctionResponse};
use tokio::runtime::{Builder, Runtime};
use tonic::transport::{Channel, Endpoint};

/// How long a function may take to be reached, and to answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(60);

/// The largest answer that is read.
const MAX_ANSWER: usize = 64 << 20;

/// Where Crossplane's command looks for a function that is being developed.
const DEVELOPMENT: &str = "localhost:9443";

/// A Function of a functions file.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) package: String,
    /// Where it runs, if its annotations say so.
    address: Option<String>,
}

impl Function {
    /// Reads a Function; `None` if the object is something else.
    pub(super) fn of(object: &Object) -> Option<Self> {
        let is_function = object.text("/kind") == "Function"
            && object.text("/apiVersion").starts_with("pkg.crossplane.io/");
        let runtime = object.annotation("render.crossplane.io/runtime");
        let target = object.annotation("render.crossplane.io/runtime-development-target");
        let target = target.filter(|target| !target.is_empty()).unwrap_or(DEVELOPMENT);
        is_function.then(|| Self {
            name: object.name().to_owned(),
            package: object.text("/spec/package").to_owned(),
            address: (runtime == Some("Development")).then(|| target.to_owned()),
        })
    }
}

/// Runs each step's function where it is.
pub(super) struct Functions {
    /// Addresses that options name, which come before what is built in.
    named: BTreeMap<String, String>,
    /// Addresses from a functions file, for what is not built in.
    development: BTreeMap<String, String>,
    skipped: Vec<String>,
    remote: Mutex<Remote>,
}

#[derive(Default)]
struct Remote {
    runtime: Option<Runtime>,
    channels: BTreeMap<String, Channel>,
}

impl Functions {
    /// `named` are pairs NAME=ADDRESS.
    pub(super) fn new(named: &[String], skipped: &[String], given: &[Function]) -> Result<Self> {
        let pair = |pair: &String| match pair.split_once('=') {
            Some((name, address)) if !name.is_empty() && !address.is_empty() => {
                Ok((name.to_owned(), address.to_owned()))
            }
            _ => bail!("--function {pair}: write NAME=ADDRESS, such as function-x=localhost:9443"),
        };
        let at = |f: &Function| Some((f.name.clone(), f.address.clone()?));
        Ok(Self {
            named: named.iter().map(pair).collect::<Result<_>>()?,
            development: given.iter().filter_map(at).collect(),
            skipped: skipped.to_vec(),
            remote: Mutex::default(),
        })
    }

    /// Checks that each step's function can be called.
    pub(super) fn check(&self, composition: &Composition) -> Result<()> {
        let has = |step: &&Step| {
            composition::Functions::skips(self, step)
                || step.function.is_some()
                || self.address(step).is_some()
        };
        let Some(step) = composition.steps.iter().find(|step| !has(step)) else { return Ok(()) };
        let (step, function, name) = (&step.name, &step.function_name, &composition.name);
        bail!(
            "Composition {name}: step {step:?} calls function {function}, which is not built in; \
             {}; say where it runs with --function {function}=HOST:PORT or in a functions file, or \
             leave it out with --skip-function {function}",
            accepted(),
        )
    }

    /// Returns the functions that options name.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        self.named.keys().chain(&self.skipped).map(String::as_str)
    }

    fn address(&self, step: &Step) -> Option<&str> {
        let name = &step.function_name;
        let in_file = || self.development.get(name).filter(|_| step.function.is_none());
        self.named.get(name).or_else(in_file).map(String::as_str)
    }

    /// Says which steps are left out.
    pub(super) fn left_out(&self, composition: &Composition) -> Vec<String> {
        let skips = |step: &&Step| composition::Functions::skips(self, step);
        let steps = composition.steps.iter().filter(skips);
        let say = |step: &Step| {
            format!(
                "Composition {}: step {:?} is left out, and what function {} would make is missing",
                composition.name, step.name, step.function_name
            )
        };
        steps.map(say).collect()
    }
}

impl composition::Functions for Functions {
    fn skips(&self, step: &Step) -> bool {
        self.skipped.contains(&step.function_name)
    }

    fn run(&self, step: &Step, request: RunFunctionRequest) -> Result<RunFunctionResponse, String> {
        let Some(address) = self.address(step) else { return BuiltIn.run(step, request) };
        let mut remote = self.remote.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let answer = remote.ask(address, request);
        answer.map_err(|e| format!("function {} at {address}: {e:#}", step.function_name))
    }
}

impl Remote {
    fn ask(&mut self, address: &str, request: RunFunctionRequest) -> Result<RunFunctionResponse> {
        let runtime = match &mut self.runtime {
            Some(runtime) => runtime,
            none => none.insert(Builder::new_current_thread().enable_all().build()?),
        };
        let channel = match self.channels.get(address) {
            Some(channel) => channel.clone(),
            None => {
                // gRPC's own form of an address, as in Crossplane's annotations.
                let host = address.trim_start_matches("dns:").trim_start_matches('/');
                let endpoint = Endpoint::from_shared(format!("http://{host}"))
                    .context("write HOST:PORT")?
                    .connect_timeout(CONNECT)
                    .timeout(ANSWER);
                let channel = runtime.block_on(endpoint.connect());
                let channel = channel.context("cannot connect; does it run with --insecure?")?;
                self.channels.insert(address.to_owned(), channel.clone());
                channel
            }
        };
        let mut client =
            FunctionRunnerServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER);
        let answer = runtime.block_on(client.run_function(request_to_wire(request)));
        let wire = answer.map_err(|status| {
            anyhow::anyhow!("it answered {:?}: {}", status.code(), status.message())
        })?;
        response_from_wire(wire.into_inner()).map_err(anyhow::Error::msg)
    }
}
