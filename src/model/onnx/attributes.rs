//! Reads a node's attributes by name and checks their kind.

use crate::model::foreign::ForeignError;
use crate::model::onnx::proto::{AttributeProto, NodeProto};

/// A node's attributes.
pub(super) struct Attributes<'a> {
    node: &'a NodeProto,
}

impl<'a> Attributes<'a> {
    pub(super) fn of(node: &'a NodeProto) -> Self {
        Self { node }
    }

    fn get(&self, name: &str) -> Option<&'a AttributeProto> {
        self.node.attribute.iter().find(|a| a.name == name)
    }

    /// The error for a damaged attribute.
    pub(super) fn damaged(&self, reason: impl std::fmt::Display) -> ForeignError {
        ForeignError::Damaged { format: "ONNX", reason: format!("{}: {reason}", self.node.op_type) }
    }

    /// Whole numbers; empty when the attribute is absent.
    pub(super) fn ints(&self, name: &str) -> &'a [i64] {
        self.get(name).map_or(&[], |a| &a.ints)
    }

    /// One whole number.
    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(|a| a.i)
    }

    /// Text, or `default`.
    pub(super) fn text(&self, name: &str, default: &'static str) -> Result<&'a str, ForeignError> {
        match self.get(name).and_then(|a| a.s.as_deref()) {
            None => Ok(default),
            Some(bytes) => std::str::from_utf8(bytes).map_err(|_| self.damaged(format!("{name} is not UTF-8"))),
        }
    }

    /// Texts; empty when the attribute is absent.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&'a str>, ForeignError> {
        let strings = self.get(name).map_or(&[][..], |a| &a.strings);
        let text = |bytes: &'a Vec<u8>| std::str::from_utf8(bytes);
        strings.iter().map(text).collect::<Result<_, _>>().map_err(|_| self.damaged(format!("{name} is not UTF-8")))
    }

    /// Numbers, from the attribute itself or from the tensor attribute of the same name and `_as_tensor` (which
    /// holds 64-bit numbers); empty when both are absent.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<f64>, ForeignError> {
        if let Some(tensor) = self.get(&format!("{name}_as_tensor")) {
            return self.tensor_numbers(tensor);
        }
        Ok(self.get(name).map_or_else(Vec::new, |a| a.floats.iter().map(|&v| f64::from(v)).collect()))
    }

    /// The numbers of a tensor attribute; empty when it is absent.
    pub(super) fn tensor(&self, name: &str) -> Result<Vec<f64>, ForeignError> {
        self.get(name).map_or_else(|| Ok(Vec::new()), |a| self.tensor_numbers(a))
    }

    fn tensor_numbers(&self, attribute: &AttributeProto) -> Result<Vec<f64>, ForeignError> {
        let numbers = attribute.t.as_ref().and_then(|t| t.numbers());
        numbers.ok_or_else(|| self.damaged(format!("{} is not a tensor of numbers", attribute.name)))
    }

    /// Refuses parallel arrays of different lengths.
    pub(super) fn expect_len(&self, name: &str, found: usize, expected: usize) -> Result<(), ForeignError> {
        if found == expected {
            return Ok(());
        }
        Err(self.damaged(format!("{name} has {found} entries, not {expected}")))
    }
}

pub(super) fn unsupported(op: &str, what: impl std::fmt::Display) -> ForeignError {
    ForeignError::Unsupported { format: "ONNX", what: format!("{op} with {what}") }
}
