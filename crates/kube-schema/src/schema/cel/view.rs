//! A claim as CEL sees it: texts are borrowed, lists and mappings are shared.
//!
//! The crate's own containers copy all their contents whenever a rule steps into one, and rules on
//! a list step into each entry many times. [`Shared`] is the same container behind a reference
//! count: every call goes to the container itself, so a rule cannot tell the difference.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use cel::common::traits::{Adder, Container, Indexer, Iterable, Sizer, Zeroer};
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, Type,
};
use cel::common::value::{Builtin, BuiltinRef, CowVal, Val};
use serde_json::Value;

use crate::schema::structural::{Kind, Schema};

/// A value as CEL sees it.
pub(in crate::schema) type View<'v> = Box<dyn Val + 'v>;

/// Returns the view of a value through its schema: a `number` is a double even if written without a
/// fraction, and fields named in the schema are identifiers.
pub(in crate::schema) fn view<'v>(value: &'v Value, schema: Option<&Schema>) -> View<'v> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(b) => Box::new(CelBool::from(*b)),
        Value::String(s) => Box::new(CelString::from(s.as_str())),
        Value::Number(n) => {
            let float = schema.is_some_and(|s| s.kind == Kind::Number);
            match (n.as_i64(), n.as_f64()) {
                (Some(i), _) if !float => Box::new(CelInt::from(i)),
                (_, Some(f)) if schema.is_some_and(|s| s.kind == Kind::Integer) =>
                {
                    #[allow(clippy::cast_possible_truncation, reason = "validated as an integer")]
                    Box::new(CelInt::from(f as i64))
                }
                (_, f) => Box::new(CelDouble::from(f.unwrap_or_default())),
            }
        }
        Value::Array(items) => {
            let schema = schema.and_then(|s| s.items());
            let items: Vec<View<'v>> = items.iter().map(|item| view(item, schema)).collect();
            Box::new(Shared(Arc::new(CelList::from(items))))
        }
        Value::Object(object) => {
            let fields: HashMap<CelMapKey<'v>, View<'v>> = object
                .iter()
                .map(|(key, value)| {
                    let name = CelMapKey::String(CelString::from(field_name(key, schema)));
                    (name, view(value, schema.and_then(|s| s.child(key))))
                })
                .collect();
            Box::new(Shared(Arc::new(CelMap::from(fields))))
        }
    }
}

/// Returns the view of a mapping with only one of its fields.
pub(in crate::schema) fn view_of_field<'v>(value: &'v Value, field: &'v str) -> View<'v> {
    let field = value
        .get(field)
        .map(|value| (CelMapKey::String(CelString::from(field)), view(value, None)));
    let fields: HashMap<CelMapKey<'v>, View<'v>> = field.into_iter().collect();
    Box::new(CelMap::from(fields))
}

/// Returns the view of a field, given its parent's view.
pub(in crate::schema) fn field<'b, 'v>(
    parent: &'b (dyn Val + 'v),
    key: &str,
    schema: &Schema,
) -> Option<&'b (dyn Val + 'v)> {
    let name = CelString::from(field_name(key, Some(schema)));
    match parent.as_indexer()?.get(&name).ok()? {
        CowVal::Borrowed(value) => Some(value),
        CowVal::Owned(_) => None,
    }
}

/// Returns the view of an item, given its list's view.
pub(in crate::schema) fn item<'b, 'v>(
    parent: &'b (dyn Val + 'v),
    index: usize,
) -> Option<&'b (dyn Val + 'v)> {
    parent.downcast_ref::<CelList<'v>>()?.inner().get(index).map(AsRef::as_ref)
}

/// Escapes names declared in the schema as CEL identifiers
/// (`k8s.io/apiserver/pkg/cel/escaping.go`).
fn field_name<'a>(name: &'a str, schema: Option<&Schema>) -> Cow<'a, str> {
    const RESERVED: [&str; 19] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
    ];
    if !schema.is_some_and(|s| s.properties.contains_key(name)) {
        return Cow::Borrowed(name);
    }
    if RESERVED.contains(&name) {
        return Cow::Owned(format!("__{name}__"));
    }
    if !name.contains("__") && !name.contains(['.', '-', '/']) {
        return Cow::Borrowed(name);
    }
    let name = name.replace("__", "__underscores__").replace('.', "__dot__");
    Cow::Owned(name.replace('-', "__dash__").replace('/', "__slash__"))
}

/// A container that is not copied when it is bound to another name.
#[derive(Debug)]
struct Shared<T>(Arc<T>);

macro_rules! shared {
    ($type:ident, $builtin:ident, $($more:item)*) => {
        impl<'a> Val for Shared<$type<'a>> {
            fn get_type(&self) -> &Type {
                self.0.get_type()
            }
            fn cel_type() -> &'static Type {
                <$type<'a> as Val>::cel_type()
            }
            $($more)*
            fn as_container(&self) -> Option<&dyn Container> {
                self.0.as_container()
            }
            fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
            where
                Self: 'v,
            {
                self.0.as_indexer()
            }
            fn into_indexer<'v>(self: Box<Self>) -> Option<Box<dyn Indexer + 'v>>
            where
                Self: 'v,
            {
                Box::new(Arc::unwrap_or_clone(self.0)).into_indexer()
            }
            fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
            where
                Self: 'v,
            {
                self.0.as_iterable()
            }
            fn as_sizer(&self) -> Option<&dyn Sizer> {
                self.0.as_sizer()
            }
            fn as_zeroer(&self) -> Option<&dyn Zeroer> {
                self.0.as_zeroer()
            }
            fn equals(&self, other: &dyn Val) -> bool {
                self.0.equals(other)
            }
            fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
            where
                Self: 'v,
            {
                Box::new(Self(Arc::clone(&self.0)))
            }
            fn as_builtin<'b, 'v>(&'b self) -> BuiltinRef<'b, 'v>
            where
                Self: 'v,
            {
                BuiltinRef::$builtin(&*self.0)
            }
            fn into_builtin<'v>(self: Box<Self>) -> Option<Builtin<'v>>
            where
                Self: 'v,
            {
                Some(Builtin::$builtin(Arc::unwrap_or_clone(self.0)))
            }
        }
    };
}

shared!(CelMap, Map,);
shared!(
    CelList,
    List,
    fn as_adder<'b, 'v>(&'b self) -> Option<&'b (dyn Adder + 'v)>
    where
        Self: 'v,
    {
        self.0.as_adder()
    }
);
