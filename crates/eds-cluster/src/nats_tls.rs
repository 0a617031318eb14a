//! TLS with a NATS behind a port-forward: its certificate names the host in the claim, not the
//! loopback address that is connected to.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use async_nats::rustls::client::WebPkiServerVerifier;
use async_nats::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use async_nats::rustls::pki_types::pem::PemObject;
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use async_nats::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// An authority to trust and, if NATS asks for one, a certificate to show: PEM.
#[derive(Clone, Default)]
pub struct Tls {
    /// The authority's certificate.
    pub ca: String,
    /// One's own certificate and its key.
    pub own: Option<(String, String)>,
}

/// Never shows the key.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.own.is_some() { "Tls with a certificate" } else { "Tls" })
    }
}

impl Tls {
    /// Returns a configuration that wants a certificate for `host`.
    ///
    /// # Errors
    /// If something is no PEM, or certificate and key do not fit.
    pub(crate) fn config(&self, host: &str) -> Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.ca).context("the CA")? {
            roots.add(certificate).context("the CA")?;
        }
        let verifier = AsNamed {
            known: WebPkiServerVerifier::builder(Arc::new(roots)).build().context("the CA")?,
            name: ServerName::try_from(host.to_owned())
                .with_context(|| format!("{host} is no host name"))?,
        };
        let builder = ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let Some((certificate, key)) = &self.own else { return Ok(builder.with_no_client_auth()) };
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).context("the key")?;
        builder
            .with_client_auth_cert(certificates(certificate).context("the certificate")?, key)
            .context("certificate and key do not fit")
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>()?;
    if found.is_empty() {
        bail!("no -----BEGIN CERTIFICATE-----");
    }
    Ok(found)
}

/// Checks as ever, but for another name than that of what is connected to.
#[derive(Debug)]
struct AsNamed {
    known: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for AsNamed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _connected_to: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.known.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.known.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.known.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.known.supported_verify_schemes()
    }
}
