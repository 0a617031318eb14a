//! The generated protocol code and descriptors are committed, so that building needs no code
//! generator. This test fails if they differ from the `.proto` files; `EDS_WRITE=1` regenerates
//! them.
#![cfg(test)]

use std::path::Path;
use std::{env, fs};

use prost::Message;

#[test]
fn generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let proto = root.join("proto");
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated");
    fs::create_dir_all(&out).expect("target directory");
    let files = ["run_function.proto", "run_function_v1beta1.proto"];
    let mut descriptors = protox::compile(files, [&proto]).expect("the .proto files compile");
    tonic_prost_build::configure()
        .btree_map(".")
        .extern_path(".google.protobuf.Struct", "crate::structs::Struct")
        .extern_path(".google.protobuf.Duration", "::prost_types::Duration")
        .out_dir(&out)
        .compile_fds(descriptors.clone())
        .expect("code is generated");
    // Comments and lines of the .proto files do not matter on the wire.
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }

    let mut stale = Vec::new();
    // The generator names files after modules, and `fn` is a keyword.
    let module =
        |version: &str| fs::read(out.join(format!("apiextensions.r#fn.proto.{version}.rs")));
    for (name, fresh) in [
        ("v1.rs", module("v1").expect("generated file")),
        ("v1beta1.rs", module("v1beta1").expect("generated file")),
        ("descriptors.bin", descriptors.encode_to_vec()),
    ] {
        let committed = root.join("src/generated").join(name);
        if fs::read(&committed).is_ok_and(|bytes| bytes == fresh) {
            continue;
        }
        if env::var_os("EDS_WRITE").is_some() {
            fs::create_dir_all(root.join("src/generated")).expect("source directory");
            fs::write(&committed, fresh).expect("generated file is written");
        } else {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "{stale:?} differ from proto/; run EDS_WRITE=1 cargo test -p eds-function --test generated"
    );
}
