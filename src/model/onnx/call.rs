//! The inputs and attributes of a node.

use super::proto::{AttributeProto, NodeProto};
use super::tensor::Tensor;

/// A node's inputs and attributes.
pub(super) struct Call<'a> {
    pub(super) node: &'a NodeProto,
    pub(super) inputs: Vec<&'a Tensor>,
}

impl Call<'_> {
    pub(super) fn input(&self, at: usize) -> Result<&Tensor, String> {
        self.inputs.get(at).copied().ok_or_else(|| format!("has no input {at}"))
    }

    fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|attribute| attribute.i).unwrap_or(default)
    }

    pub(super) fn ints(&self, name: &str) -> &[i64] {
        self.attribute(name).map_or(&[], |attribute| &attribute.ints)
    }

    pub(super) fn floats(&self, name: &str) -> &[f32] {
        self.attribute(name).map_or(&[], |attribute| &attribute.floats)
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let texts = self.attribute(name).map_or(&[][..], |attribute| &attribute.strings);
        texts.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    /// Only axis `wanted` is supported.
    pub(super) fn expect_axis(&self, wanted: i64) -> Result<(), String> {
        match self.int("axis", 0) {
            axis if axis == wanted => Ok(()),
            axis => Err(format!("its axis {axis} is not {wanted}")),
        }
    }
}
