//! Converts between the generated messages and the plain protocol of
//! [`patch_and_transform::protocol`].
//!
//! The server reads requests and writes responses; a client, such as a test, does the reverse.
//! Credentials are written, but not read: no function here uses them.

use std::collections::BTreeMap;
use std::time::Duration;

use patch_and_transform::protocol::{
    Condition, ConditionStatus, FunctionResult, Match, Object, Problem, Ready, Resource,
    ResourceSelector, RunFunctionRequest, RunFunctionResponse, SchemaSelector, Severity, State,
    Target,
};

use crate::proto::v1;
use crate::structs::Struct;

/// Reads a request. What is not a JSON object is listed in [`RunFunctionRequest::problems`].
#[must_use]
pub fn request_from_wire(wire: v1::RunFunctionRequest) -> RunFunctionRequest {
    let mut reader = Reader::default();
    let meta = wire.meta.unwrap_or_default();
    // In upstream's order, so that the first problem is the one it reports.
    let input = reader.object(wire.input, || "input".to_owned());
    let observed = reader.state(wire.observed, "observed");
    let desired = reader.state(wire.desired, "desired");
    let context = reader.object(wire.context, || "context".to_owned());
    let required_resources = reader.resources(wire.required_resources, "required_resources");
    #[allow(deprecated, reason = "Crossplane before 1.20 sends it")]
    let extra_resources = reader.resources(wire.extra_resources, "extra_resources");
    let required_schemas = wire
        .required_schemas
        .into_iter()
        .map(|(key, schema)| {
            let schema = reader.object(schema.openapi_v3, || format!("required_schemas[{key:?}]"));
            (key, schema)
        })
        .collect();
    RunFunctionRequest {
        tag: meta.tag,
        capabilities: meta.capabilities,
        observed,
        desired,
        input,
        context,
        required_resources,
        extra_resources,
        required_schemas,
        credentials: BTreeMap::new(),
        problems: reader.problems,
    }
}

/// Reads a response, as a client does.
///
/// # Errors
/// The first place that is not a JSON object, or an enum value unknown to this protocol.
pub fn response_from_wire(wire: v1::RunFunctionResponse) -> Result<RunFunctionResponse, String> {
    let mut reader = Reader::default();
    let meta = wire.meta.unwrap_or_default();
    let requirements = wire.requirements.unwrap_or_default();
    let schema = |(key, selector): (String, v1::SchemaSelector)| {
        (key, SchemaSelector { api_version: selector.api_version, kind: selector.kind })
    };
    let response = RunFunctionResponse {
        tag: meta.tag,
        ttl: meta.ttl.map(|ttl| Duration::try_from(ttl).unwrap_or_default()),
        desired: reader.state(wire.desired, "desired"),
        results: wire.results.into_iter().map(result_from_wire).collect::<Result<_, _>>()?,
        context: reader.object(wire.context, || "context".to_owned()),
        required_resources: selectors_from_wire(requirements.resources),
        #[allow(deprecated, reason = "functions may still answer with it")]
        extra_resources: selectors_from_wire(requirements.extra_resources),
        required_schemas: requirements.schemas.into_iter().map(schema).collect(),
        conditions: wire
            .conditions
            .into_iter()
            .map(condition_from_wire)
            .collect::<Result<_, _>>()?,
        output: reader.object(wire.output, || "output".to_owned()),
    };
    match reader.problems.first() {
        Some(problem) => Err(format!("{}: {}", problem.place, problem.message)),
        None => Ok(response),
    }
}

/// Writes a response.
#[must_use]
pub fn response_to_wire(response: RunFunctionResponse) -> v1::RunFunctionResponse {
    let ttl = response.ttl.and_then(|ttl| prost_types::Duration::try_from(ttl).ok());
    #[allow(deprecated, reason = "a function may still answer with extra_resources")]
    let requirements = v1::Requirements {
        extra_resources: selectors_to_wire(response.extra_resources),
        resources: selectors_to_wire(response.required_resources),
        schemas: response
            .required_schemas
            .into_iter()
            .map(|(key, selector)| {
                let SchemaSelector { api_version, kind } = selector;
                (key, v1::SchemaSelector { api_version, kind })
            })
            .collect(),
    };
    v1::RunFunctionResponse {
        meta: Some(v1::ResponseMeta { tag: response.tag, ttl }),
        desired: Some(state_to_wire(response.desired)),
        results: response.results.into_iter().map(result_to_wire).collect(),
        context: response.context.as_ref().map(Struct::from),
        requirements: (requirements != v1::Requirements::default()).then_some(requirements),
        conditions: response.conditions.into_iter().map(condition_to_wire).collect(),
        output: response.output.as_ref().map(Struct::from),
    }
}

/// Writes a request, as a client does. Problems have no wire form.
#[must_use]
pub fn request_to_wire(request: RunFunctionRequest) -> v1::RunFunctionRequest {
    #[allow(deprecated, reason = "Crossplane before 1.20 sends extra_resources")]
    v1::RunFunctionRequest {
        meta: Some(v1::RequestMeta { tag: request.tag, capabilities: request.capabilities }),
        observed: Some(state_to_wire(request.observed)),
        desired: Some(state_to_wire(request.desired)),
        input: request.input.as_ref().map(Struct::from),
        context: request.context.as_ref().map(Struct::from),
        extra_resources: resources_to_wire(request.extra_resources),
        credentials: request.credentials.into_iter().map(credential_to_wire).collect(),
        required_resources: resources_to_wire(request.required_resources),
        required_schemas: request
            .required_schemas
            .into_iter()
            .map(|(key, schema)| {
                (key, v1::Schema { openapi_v3: schema.as_ref().map(Struct::from) })
            })
            .collect(),
    }
}

fn credential_to_wire(
    (name, data): (String, BTreeMap<String, Vec<u8>>),
) -> (String, v1::Credentials) {
    let data = v1::CredentialData { data };
    (name, v1::Credentials { source: Some(v1::credentials::Source::CredentialData(data)) })
}

/// Reads objects and collects what is wrong with them.
#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn object(&mut self, wire: Option<Struct>, place: impl Fn() -> String) -> Option<Object> {
        wire.map(|wire| {
            wire.into_object().unwrap_or_else(|fault| {
                let place = format!("{}{}", place(), fault.path);
                self.problems.push(Problem { place, message: fault.message });
                Object::new()
            })
        })
    }

    fn resource(&mut self, wire: v1::Resource, place: impl Fn() -> String) -> Resource {
        let ready = match wire.ready() {
            v1::Ready::Unspecified => Ready::Unspecified,
            v1::Ready::True => Ready::True,
            v1::Ready::False => Ready::False,
        };
        let resource = self.object(wire.resource, || format!("{}.resource", place()));
        Resource { resource, connection_details: wire.connection_details, ready }
    }

    fn state(&mut self, wire: Option<v1::State>, place: &str) -> State {
        let Some(wire) = wire else { return State::default() };
        let composite =
            wire.composite.map(|wire| self.resource(wire, || format!("{place}.composite")));
        let mut resources = BTreeMap::new();
        for (name, wire) in wire.resources {
            let resource = self.resource(wire, || format!("{place}.resources[{name:?}]"));
            resources.insert(name, resource);
        }
        State { composite, resources }
    }

    fn resources(
        &mut self,
        wire: BTreeMap<String, v1::Resources>,
        place: &str,
    ) -> BTreeMap<String, Vec<Resource>> {
        let mut out = BTreeMap::new();
        for (key, resources) in wire {
            let mut items = Vec::with_capacity(resources.items.len());
            for (index, wire) in resources.items.into_iter().enumerate() {
                items.push(self.resource(wire, || format!("{place}[{key:?}].items[{index}]")));
            }
            out.insert(key, items);
        }
        out
    }
}

fn state_to_wire(state: State) -> v1::State {
    v1::State {
        composite: state.composite.map(resource_to_wire),
        resources: state
            .resources
            .into_iter()
            .map(|(name, resource)| (name, resource_to_wire(resource)))
            .collect(),
    }
}

fn resource_to_wire(resource: Resource) -> v1::Resource {
    let ready = match resource.ready {
        Ready::Unspecified => v1::Ready::Unspecified,
        Ready::True => v1::Ready::True,
        Ready::False => v1::Ready::False,
    };
    v1::Resource {
        resource: resource.resource.as_ref().map(Struct::from),
        connection_details: resource.connection_details,
        ready: ready.into(),
    }
}

fn resources_to_wire(
    resources: BTreeMap<String, Vec<Resource>>,
) -> BTreeMap<String, v1::Resources> {
    resources
        .into_iter()
        .map(|(key, items)| {
            (key, v1::Resources { items: items.into_iter().map(resource_to_wire).collect() })
        })
        .collect()
}

fn result_from_wire(wire: v1::Result) -> Result<FunctionResult, String> {
    let severity = match wire.severity() {
        v1::Severity::Fatal => Severity::Fatal,
        v1::Severity::Warning => Severity::Warning,
        v1::Severity::Normal => Severity::Normal,
        v1::Severity::Unspecified => return Err(format!("result severity {}", wire.severity)),
    };
    let target = wire.target.and_then(target_from_wire);
    Ok(FunctionResult { severity, message: wire.message, reason: wire.reason, target })
}

fn result_to_wire(result: FunctionResult) -> v1::Result {
    let severity = match result.severity {
        Severity::Fatal => v1::Severity::Fatal,
        Severity::Warning => v1::Severity::Warning,
        Severity::Normal => v1::Severity::Normal,
    };
    v1::Result {
        severity: severity.into(),
        message: result.message,
        reason: result.reason,
        target: result.target.map(target_to_wire),
    }
}

fn condition_from_wire(wire: v1::Condition) -> Result<Condition, String> {
    let status = match wire.status() {
        v1::Status::ConditionUnknown => ConditionStatus::Unknown,
        v1::Status::ConditionTrue => ConditionStatus::True,
        v1::Status::ConditionFalse => ConditionStatus::False,
        v1::Status::ConditionUnspecified => {
            return Err(format!("condition status {}", wire.status));
        }
    };
    let target = wire.target.and_then(target_from_wire);
    let (reason, message) = (wire.reason, wire.message);
    Ok(Condition { type_: wire.r#type, status, reason, message, target })
}

fn condition_to_wire(condition: Condition) -> v1::Condition {
    let status = match condition.status {
        ConditionStatus::Unknown => v1::Status::ConditionUnknown,
        ConditionStatus::True => v1::Status::ConditionTrue,
        ConditionStatus::False => v1::Status::ConditionFalse,
    };
    v1::Condition {
        r#type: condition.type_,
        status: status.into(),
        reason: condition.reason,
        message: condition.message,
        target: condition.target.map(target_to_wire),
    }
}

fn target_from_wire(wire: i32) -> Option<Target> {
    match v1::Target::try_from(wire).ok()? {
        v1::Target::Unspecified => None,
        v1::Target::Composite => Some(Target::Composite),
        v1::Target::CompositeAndClaim => Some(Target::CompositeAndClaim),
    }
}

fn target_to_wire(target: Target) -> i32 {
    match target {
        Target::Composite => v1::Target::Composite.into(),
        Target::CompositeAndClaim => v1::Target::CompositeAndClaim.into(),
    }
}

/// A selector that matches neither by name nor by labels selects everything: no labels.
fn selectors_from_wire(
    wire: BTreeMap<String, v1::ResourceSelector>,
) -> BTreeMap<String, ResourceSelector> {
    let selector = |wire: v1::ResourceSelector| ResourceSelector {
        api_version: wire.api_version,
        kind: wire.kind,
        match_: match wire.r#match {
            Some(v1::resource_selector::Match::MatchName(name)) => Match::Name(name),
            Some(v1::resource_selector::Match::MatchLabels(wire)) => Match::Labels(wire.labels),
            None => Match::Labels(BTreeMap::new()),
        },
        namespace: wire.namespace,
    };
    wire.into_iter().map(|(key, wire)| (key, selector(wire))).collect()
}

fn selectors_to_wire(
    selectors: BTreeMap<String, ResourceSelector>,
) -> BTreeMap<String, v1::ResourceSelector> {
    let wire = |selector: ResourceSelector| v1::ResourceSelector {
        api_version: selector.api_version,
        kind: selector.kind,
        r#match: Some(match selector.match_ {
            Match::Name(name) => v1::resource_selector::Match::MatchName(name),
            Match::Labels(labels) => {
                v1::resource_selector::Match::MatchLabels(v1::MatchLabels { labels })
            }
        }),
        namespace: selector.namespace,
    };
    selectors.into_iter().map(|(key, selector)| (key, wire(selector))).collect()
}
