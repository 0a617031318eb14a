//! Facts for `eds_core::verify`, read from a cluster.

use anyhow::Result;
use eds_core::verify::composition;
use serde_json::Value;

use crate::client::Cluster;
use crate::kinds;

/// Where Crossplane is installed, as its chart has it.
pub const CROSSPLANE: &str = "crossplane-system";
/// The XRD.
pub const XRD: &str = "xeventdrivenservices.platform.bizmatters.io";

/// Everything there is to know about the Compositions. `built_in` is the one `eds render` uses.
///
/// # Errors
/// When something cannot be read.
pub async fn compositions(cluster: &Cluster, built_in: Value) -> Result<composition::Facts> {
    let all = async |kind| cluster.list(kind, None, "").await;
    Ok(composition::Facts {
        compositions: all(&kinds::COMPOSITION).await?,
        revisions: all(&kinds::COMPOSITION_REVISION).await?,
        xrd: cluster.get(&kinds::XRD, None, XRD).await?,
        functions: all(&kinds::FUNCTION).await?,
        function_revisions: all(&kinds::FUNCTION_REVISION).await?,
        pods: cluster.list(&kinds::POD, Some(CROSSPLANE), "").await?,
        built_in,
    })
}
