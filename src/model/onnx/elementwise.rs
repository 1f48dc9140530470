//! Operators that work element by element.

use super::call::Call;
use super::tensor::{Elements, Tensor, common};
use crate::stats::portable::Portable;

pub(super) fn unary(call: &Call) -> Result<Tensor, String> {
    let from = call.input(0)?;
    let elements = match (call.node.op_type.as_str(), &from.elements) {
        ("Neg", Elements::Double(v)) => Elements::Double(v.iter().map(|v| -v).collect()),
        ("Exp", Elements::Double(v)) => Elements::Double(v.iter().map(|v| v.exp_portable()).collect()),
        ("Log", Elements::Double(v)) => Elements::Double(v.iter().map(|v| v.ln_portable()).collect()),
        ("Abs", Elements::Double(v)) => Elements::Double(v.iter().map(|v| v.abs()).collect()),
        ("Ceil", Elements::Double(v)) => Elements::Double(v.iter().map(|v| v.ceil()).collect()),
        ("Floor", Elements::Double(v)) => Elements::Double(v.iter().map(|v| v.floor()).collect()),
        // Round half to even.
        ("Round", Elements::Double(v)) => Elements::Double(v.iter().map(|v| v.round_ties_even()).collect()),
        ("Sqrt", Elements::Double(v)) => Elements::Double(v.iter().map(|v| v.sqrt()).collect()),
        ("IsNaN", Elements::Double(v)) => Elements::Bool(v.iter().map(|v| v.is_nan()).collect()),
        ("IsInf", Elements::Double(v)) => Elements::Bool(v.iter().map(|v| v.is_infinite()).collect()),
        ("Not", Elements::Bool(v)) => Elements::Bool(v.iter().map(|v| !v).collect()),
        _ => return Err("of such elements".to_owned()),
    };
    Ok(Tensor { dims: from.dims.clone(), elements })
}

pub(super) fn clip(call: &Call) -> Result<Tensor, String> {
    let (from, low, high) = (call.input(0)?, call.input(1)?, call.input(2)?);
    match (&from.elements, &low.elements, &high.elements) {
        (Elements::Float(v), Elements::Float(low), Elements::Float(high)) if low.len() == 1 && high.len() == 1 => {
            let elements = Elements::Float(v.iter().map(|v| v.max(low[0]).min(high[0])).collect());
            Ok(Tensor { dims: from.dims.clone(), elements })
        }
        _ => Err("of such elements".to_owned()),
    }
}

/// Both inputs, broadcast to each other.
fn pair(call: &Call) -> Result<(Vec<usize>, Elements, Elements), String> {
    let dims = common(&[call.input(0)?, call.input(1)?])?;
    let (a, b) = (call.input(0)?.broadcast(&dims)?, call.input(1)?.broadcast(&dims)?);
    Ok((dims, a.elements, b.elements))
}

pub(super) fn compare(call: &Call) -> Result<Tensor, String> {
    fn all<T: PartialOrd>(op: &str, a: &[T], b: &[T]) -> Vec<bool> {
        let holds = |(a, b): (&T, &T)| match op {
            "Less" => a < b,
            "LessOrEqual" => a <= b,
            "Greater" => a > b,
            "GreaterOrEqual" => a >= b,
            _ => a == b,
        };
        a.iter().zip(b).map(holds).collect()
    }
    let op = call.node.op_type.as_str();
    let (dims, a, b) = pair(call)?;
    let found = match (&a, &b) {
        (Elements::Float(a), Elements::Float(b)) => all(op, a, b),
        (Elements::Double(a), Elements::Double(b)) => all(op, a, b),
        (Elements::Int64(a), Elements::Int64(b)) => all(op, a, b),
        _ => return Err("of such elements".to_owned()),
    };
    Tensor { dims, elements: Elements::Bool(found) }.checked()
}

pub(super) fn logic(call: &Call) -> Result<Tensor, String> {
    let (dims, a, b) = pair(call)?;
    let (Elements::Bool(a), Elements::Bool(b)) = (&a, &b) else { return Err("of other than truth values".to_owned()) };
    let holds = |(&a, &b): (&bool, &bool)| match call.node.op_type.as_str() {
        "And" => a && b,
        "Or" => a || b,
        _ => a != b,
    };
    Tensor { dims, elements: Elements::Bool(a.iter().zip(b).map(holds).collect()) }.checked()
}

pub(super) fn arithmetic(call: &Call) -> Result<Tensor, String> {
    let op = call.node.op_type.as_str();
    let (dims, a, b) = pair(call)?;
    let elements = match (&a, &b) {
        (Elements::Float(a), Elements::Float(b)) => {
            // Computed in 64 bits and rounded once: the result equals that of 32-bit arithmetic.
            let each = |(&a, &b): (&f32, &f32)| real(op, f64::from(a), f64::from(b)).map(|v| v as f32);
            Elements::Float(a.iter().zip(b).map(each).collect::<Result<_, _>>()?)
        }
        (Elements::Double(a), Elements::Double(b)) => {
            Elements::Double(a.iter().zip(b).map(|(&a, &b)| real(op, a, b)).collect::<Result<_, _>>()?)
        }
        (Elements::Int64(a), Elements::Int64(b)) => {
            Elements::Int64(a.iter().zip(b).map(|(&a, &b)| whole(op, a, b)).collect::<Result<_, _>>()?)
        }
        _ => return Err("of such elements".to_owned()),
    };
    Tensor { dims, elements }.checked()
}

fn real(op: &str, a: f64, b: f64) -> Result<f64, String> {
    let is_nan = a.is_nan() || b.is_nan();
    Ok(match op {
        "Add" => a + b,
        "Sub" => a - b,
        "Mul" => a * b,
        "Div" => a / b,
        // With the dividend's sign, as for `fmod = 1`, which floating-point elements require.
        "Mod" => a % b,
        "Max" | "Min" if is_nan => f64::NAN,
        "Max" => a.max(b),
        "Min" => a.min(b),
        _ => return Err("of such elements".to_owned()),
    })
}

fn whole(op: &str, a: i64, b: i64) -> Result<i64, String> {
    // Overflow wraps, as in runtimes: a missing time is the smallest integer, and its parts are not read.
    let found = match op {
        "Add" => Some(a.wrapping_add(b)),
        "Sub" => Some(a.wrapping_sub(b)),
        "Mul" => Some(a.wrapping_mul(b)),
        // Toward zero.
        "Div" => a.checked_div(b),
        // With the divisor's sign.
        "Mod" => a.checked_rem(b).map(|rest| if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }),
        _ => return Err("of such elements".to_owned()),
    };
    found.ok_or_else(|| format!("{a} by {b}"))
}
