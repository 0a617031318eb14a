//! Port-forwards: a port of a pod, on a port of the loopback interface.

use kube_object::object::Fields;
use std::net::SocketAddr;

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::client::Cluster;
use crate::kinds;

/// An open port-forward. It ends when this is dropped.
pub struct Forward {
    /// The local end.
    pub address: SocketAddr,
    accept: JoinHandle<()>,
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

impl Cluster {
    /// Forwards to a port of a pod. Every connection to [`Forward::address`] is one to the pod.
    ///
    /// # Errors
    /// If no local port can be opened, or the API server does not forward to this pod.
    pub async fn forward(&self, namespace: &str, pod: &str, port: u16) -> Result<Forward> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        // The first attempt shows whether it can be forwarded to at all.
        let first = pods.portforward(pod, &[port]).await;
        drop(first.with_context(|| format!("no port-forward to {namespace}/{pod}:{port}"))?);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no local port")?;
        let address = listener.local_addr()?;
        let pod = pod.to_owned();
        let accept = tokio::spawn(async move {
            while let Ok((local, _)) = listener.accept().await {
                let (pods, pod) = (pods.clone(), pod.clone());
                // A connection that fails is closed, which its client notices.
                tokio::spawn(async move { carry(&pods, &pod, port, local).await });
            }
        });
        Ok(Forward { address, accept })
    }

    /// Forwards to a ready pod behind a port of a Service.
    ///
    /// # Errors
    /// If the Service has no such port or no ready pod, or as in [`Cluster::forward`].
    pub async fn forward_service(
        &self,
        namespace: &str,
        service: &str,
        port: u16,
    ) -> Result<Forward> {
        let found = self.get(&kinds::SERVICE, Some(namespace), service).await?;
        let found = found.ok_or_else(|| anyhow!("there is no Service {service} in {namespace}"))?;
        let name = port_name(&found, port)
            .ok_or_else(|| anyhow!("the Service {namespace}/{service} has no port {port}"))?;
        let selector = format!("kubernetes.io/service-name={service}");
        let slices = self.list(&kinds::ENDPOINT_SLICE, Some(namespace), &selector).await?;
        let (pod, port) = slices
            .iter()
            .find_map(|slice| ready_pod(slice, &name))
            .ok_or_else(|| anyhow!("the Service {namespace}/{service} has no pod that is ready"))?;
        self.forward(namespace, &pod, port).await
    }
}

async fn carry(pods: &Api<Pod>, pod: &str, port: u16, mut local: TcpStream) {
    let Ok(mut forwarder) = pods.portforward(pod, &[port]).await else { return };
    if let Some(mut remote) = forwarder.take_stream(port) {
        let _ = tokio::io::copy_bidirectional(&mut local, &mut remote).await;
    }
    forwarder.abort();
}

/// Returns the name of a Service's port, empty if it has none; `None` if there is no such port.
fn port_name(service: &Value, port: u16) -> Option<String> {
    let ports = service.at("/spec/ports")?.as_array()?;
    let found = ports.iter().find(|p| p.get("port") == Some(&Value::from(port)))?;
    Some(found.text("/name").to_owned())
}

/// Returns a ready pod of an EndpointSlice, and its number for the port of this name.
fn ready_pod(slice: &Value, port_name: &str) -> Option<(String, u16)> {
    let ports = slice.get("ports")?.as_array()?;
    let named = |p: &&Value| p.text("/name") == port_name;
    let port = ports.iter().find(named)?.get("port")?.as_u64()?;
    let endpoints = slice.get("endpoints")?.as_array()?;
    // Absent means ready (`discovery/v1` EndpointConditions).
    let ready = |e: &&Value| e.at("/conditions/ready") != Some(&Value::Bool(false));
    let pod = endpoints.iter().filter(ready).find_map(|e| e.at("/targetRef/name")?.as_str())?;
    Some((pod.to_owned(), u16::try_from(port).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_ready_pod_behind_a_port() {
        let check = |endpoints: Value, name: &str, expected: Option<(&str, u16)>| {
            let ports = json!([{"name": "client", "port": 14222}, {"port": 8080}]);
            let slice = json!({"ports": ports, "endpoints": endpoints});
            let expected = expected.map(|(pod, port)| (pod.to_owned(), port));
            assert_eq!(ready_pod(&slice, name), expected);
        };
        let pod = |name: &str, ready: Value| {
            let conditions = json!({"ready": ready});
            json!({"targetRef": {"name": name}, "conditions": conditions})
        };
        check(json!([pod("a", json!(true))]), "client", Some(("a", 14222)));
        check(json!([pod("a", json!(false)), pod("b", json!(true))]), "", Some(("b", 8080)));
        check(json!([pod("a", Value::Null)]), "client", Some(("a", 14222)));
        check(json!([pod("a", json!(false))]), "client", None);
        check(json!([pod("a", json!(true))]), "monitor", None);
        check(json!(null), "client", None);
    }
}
