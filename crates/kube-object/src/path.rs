//! Where a value is in an object.

use std::collections::HashSet;
use std::fmt;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// A field.
    Key(String),
    /// An item of a list.
    Index(usize),
}

impl Step {
    /// Appends this step to the pattern of a path: `.image`, or `[]` for any item.
    pub fn extend(&self, pattern: &mut String) {
        match self {
            Self::Key(key) => {
                if !pattern.is_empty() {
                    pattern.push('.');
                }
                pattern.push_str(key);
            }
            Self::Index(_) => pattern.push_str("[]"),
        }
    }
}

/// Steps from the object's root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Path(pub Vec<Step>);

/// A path on the way down, which costs nothing until it is turned into a [`Path`].
#[derive(Debug, Clone, Copy, Default)]
pub struct At<'a>(Option<(&'a Self, Part<'a>)>);

#[derive(Debug, Clone, Copy)]
enum Part<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    /// Returns the path of a field below.
    #[must_use]
    pub const fn key(&'a self, key: &'a str) -> Self {
        Self(Some((self, Part::Key(key))))
    }

    /// Returns the path of an item below.
    #[must_use]
    pub const fn index(&'a self, index: usize) -> Self {
        Self(Some((self, Part::Index(index))))
    }

    /// Returns it as an owned path.
    #[must_use]
    pub fn path(&self) -> Path {
        let mut steps = Vec::new();
        let mut here = self;
        while let Some((parent, part)) = here.0 {
            steps.push(match part {
                Part::Key(key) => Step::Key(key.to_owned()),
                Part::Index(index) => Step::Index(index),
            });
            here = parent;
        }
        steps.reverse();
        Path(steps)
    }
}

impl Path {
    /// Returns the path of a field below this one.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// Returns the path of an item below this one.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// Creates a path of fields such as `spec.nats.stream`.
    #[must_use]
    pub fn fields(path: &str) -> Self {
        let keys = path.split('.').filter(|key| !key.is_empty());
        Self(keys.map(|key| Step::Key(key.to_owned())).collect())
    }

    /// Returns the path of a field several levels below this one, such as `nats.stream`.
    #[must_use]
    pub fn with_fields(&self, path: &str) -> Self {
        Self(self.0.iter().cloned().chain(Self::fields(path).0).collect())
    }

    /// Returns the pattern that matches any item of each list: `spec.secretRefs[].env[]` for
    /// `spec.secretRefs[0].env[1]`.
    pub fn pattern(&self) -> String {
        let mut pattern = String::new();
        self.0.iter().for_each(|step| step.extend(&mut pattern));
        pattern
    }

    /// Reports whether the other path is this one or below it.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// Adds this path and all paths above it.
    pub fn with_parents_into(&self, paths: &mut HashSet<Self>) {
        let mut path = self.clone();
        while paths.insert(path.clone()) && path.0.pop().is_some() {}
    }

    /// Reports whether `paths` contains this path or one above it.
    pub fn is_below(&self, paths: &HashSet<Self>) -> bool {
        if paths.is_empty() {
            return false;
        }
        let mut path = self.clone();
        while !paths.contains(&path) {
            if path.0.pop().is_none() {
                return false;
            }
        }
        true
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if key.contains(['.', '/', '[', ' ']) || key.is_empty() => {
                    write!(f, "[{key}]")?;
                }
                Step::Key(key) if i == 0 => write!(f, "{key}")?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
