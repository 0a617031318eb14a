//! The files for TLS: are they what they should be, and do they fit?

use std::path::Path;
use std::sync::Arc;

use async_nats::ConnectOptions;
use async_nats::rustls::pki_types::pem::PemObject;
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use async_nats::rustls::{ClientConfig, RootCertStore};

use crate::config::TlsFiles;

/// What to do if a file is not as it should be.
const FIX: &str = "is that key of the Secret in the claim's spec.nats.tls the right one?";

/// Has the connections use these files. Those beside a CA are read again by each connection, so
/// that renewed certificates take effect without a restart.
///
/// # Errors
/// What is wrong with the files, one line for each problem; nothing of a key is repeated.
pub(crate) fn with(files: &TlsFiles, options: ConnectOptions) -> Result<ConnectOptions, String> {
    let mut problems = Vec::new();
    let mut roots = RootCertStore::empty();
    if let Some(ca) = &files.ca {
        match certificates("NATS_CA", ca) {
            Ok(found) => {
                for certificate in found {
                    if roots.add(certificate).is_err() {
                        let ca = ca.display();
                        problems.push(format!("NATS_CA: {ca} holds no certificate of a CA: {FIX}"));
                    }
                }
            }
            Err(problem) => problems.push(problem),
        }
    } else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let own = files.own.as_ref().map(|(cert, key)| {
        let certificate = certificates("NATS_CERT", cert);
        (certificate, private_key(key), cert, key)
    });
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((Ok(chain), Ok(private), cert, key)) => {
            let plain = builder.clone();
            builder.with_client_auth_cert(chain, private).unwrap_or_else(|_| {
                let (cert, key) = (cert.display(), key.display());
                problems.push(format!(
                    "NATS_KEY: {key} does not fit the certificate in NATS_CERT, {cert}: {FIX}"
                ));
                plain.with_no_client_auth()
            })
        }
        Some((cert, key, ..)) => {
            problems.extend(cert.err().into_iter().chain(key.err()));
            builder.with_no_client_auth()
        }
    };
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    if *files == TlsFiles::default() {
        // Only if the server asks for TLS.
        return Ok(options.tls_client_config(config));
    }
    // Whoever names a CA does not want to be talked out of TLS.
    let options = options.require_tls(true);
    let Some(ca) = &files.ca else { return Ok(options.tls_client_config(config)) };
    let options = options.add_root_certificates(ca.clone());
    Ok(match &files.own {
        Some((cert, key)) => options.add_client_certificate(cert.clone(), key.clone()),
        None => options,
    })
}

/// Reads a file of the claim's Secrets, named by `variable`.
///
/// # Errors
/// It cannot be read.
pub(crate) fn read(variable: &str, path: &Path, fix: &str) -> Result<Arc<[u8]>, String> {
    std::fs::read(path).map(Arc::from).map_err(|error| {
        format!("{variable}: {} cannot be read: {}; {fix}", path.display(), error.kind())
    })
}

fn certificates(variable: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(variable, path, FIX)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.unwrap_or_default();
    if found.is_empty() {
        let path = path.display();
        return Err(format!(
            "{variable}: {path} holds no certificate (-----BEGIN CERTIFICATE-----): {FIX}"
        ));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let text = read("NATS_KEY", path, FIX)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        let path = path.display();
        format!("NATS_KEY: {path} holds no private key (-----BEGIN PRIVATE KEY-----): {FIX}")
    })
}
