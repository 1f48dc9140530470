//! Checks a parsed expression: resolves names, checks types, and parses constants.

use super::Problem;
use super::constants::{instant, moment, pattern, stated, zone};
use super::functions::{Function, Statistic};
use super::node::{LetterCase, Node, OfText, Type, Window, Zone};
use super::numbers::{Binary, OfTimes, Unary};
use super::tree::{Expr, Op, Over, What};

/// Resolves names.
pub(super) trait Names {
    /// The column of that name with its type.
    ///
    /// # Errors
    /// A sentence that names the alternatives.
    fn find(&mut self, name: &str) -> Result<(Node, Type), String>;

    /// The index of a new statistic of groups.
    ///
    /// # Errors
    /// A sentence, if statistics are not allowed.
    fn slot(&mut self) -> Result<usize, String>;

    /// The only time column.
    ///
    /// # Errors
    /// A sentence, if there are several or none.
    fn clock(&mut self) -> Result<(Node, Type), String>;
}

type Checked = Result<(Node, Type), Problem>;

/// Checks an expression.
pub(super) fn check(expr: &Expr, names: &mut dyn Names) -> Checked {
    let at = expr.at;
    Ok(match &expr.what {
        What::Number(value) => (Node::Number(*value), Type::Number),
        What::Text(text) => (Node::Text(text.clone()), Type::Text),
        What::Bool(value) => (Node::Number(f64::from(u8::from(*value))), Type::Bool),
        What::Missing => (Node::nothing(Type::Nothing), Type::Nothing),
        What::Column(name) => names.find(name).map_err(|what| Problem::new(at, what))?,
        What::Negate(of) => (Node::map(Unary::Negate, number(of, names, "-")?), Type::Number),
        What::Not(of) => (Node::map(Unary::Not, condition(of, names, "not")?), Type::Bool),
        What::Binary(op, left, right) => binary(*op, left, right, names)?,
        What::In { value, list, negated } => {
            let found = one_of(at, value, list, names)?;
            let found = if *negated { Node::map(Unary::Not, found) } else { found };
            (found, Type::Bool)
        }
        What::Call(function, parts) => call(at, *function, parts, names)?,
        What::Case(arms, otherwise) => choose(at, arms, otherwise.as_deref(), names)?,
        What::Group { over: Some(over), .. } => {
            let what = "a window is a feature of its own: give it a line with a name, and use that name here";
            return Err(Problem::new(over.at, what));
        }
        What::Group { statistic, of, by, over: None } => {
            let (of, keys) = grouped(of.as_deref(), by, names)?;
            let slot = names.slot().map_err(|what| Problem::new(by.first().map_or(0, |key| key.at), what))?;
            (Node::Group { slot, statistic: *statistic, of: of.map(Box::new), by: keys }, Type::Number)
        }
    })
}

fn wrong(expr: &Expr, found: Type, needed: &str, of: &str) -> Problem {
    let hint = match (found, needed) {
        (Type::Text, "a number") => "; number(…) converts a text to a number",
        (Type::Number, "true or false") => "; write != 0",
        (Type::Text, "a time") => "; write a time as date('2026-01-31')",
        _ => "",
    };
    Problem::new(expr.at, format!("{of} needs {needed} here, and this is {}{hint}", found.name()))
}

fn number(expr: &Expr, names: &mut dyn Names, of: &str) -> Result<Node, Problem> {
    match check(expr, names)? {
        (node, found) if found.is_number() => Ok(node),
        (_, found) => Err(wrong(expr, found, "a number", of)),
    }
}

fn condition(expr: &Expr, names: &mut dyn Names, of: &str) -> Result<Node, Problem> {
    match check(expr, names)? {
        (node, found) if found.is_bool() => Ok(node),
        (_, found) => Err(wrong(expr, found, "true or false", of)),
    }
}

fn text(expr: &Expr, names: &mut dyn Names, of: &str) -> Result<Node, Problem> {
    match check(expr, names)? {
        (node, Type::Text) => Ok(node),
        (_, Type::Nothing) => Ok(Node::nothing(Type::Text)),
        (_, found) => Err(wrong(expr, found, "a text", of)),
    }
}

fn time(expr: &Expr, names: &mut dyn Names, of: &str) -> Result<Node, Problem> {
    as_time(expr, check(expr, names)?, of)
}

fn as_time(expr: &Expr, checked: (Node, Type), of: &str) -> Result<Node, Problem> {
    match checked {
        (node, Type::Time) => Ok(node),
        (_, Type::Nothing) => Ok(Node::nothing(Type::Time)),
        (Node::Text(text), Type::Text) => instant(expr, &text).map(Node::Time),
        (_, found) => Err(wrong(expr, found, "a time", of)),
    }
}

fn binary(op: Op, left: &Expr, right: &Expr, names: &mut dyn Names) -> Checked {
    let arithmetic: Option<(Binary, &str)> = match op {
        Op::Add => Some((Binary::Add, "+")),
        Op::Subtract => Some((Binary::Subtract, "-")),
        Op::Multiply => Some((Binary::Multiply, "*")),
        Op::Divide => Some((Binary::Divide, "/")),
        Op::Remainder => Some((Binary::Remainder, "%")),
        _ => None,
    };
    if let Some((f, name)) = arithmetic {
        let (a, b) = (number(left, names, name)?, number(right, names, name)?);
        if matches!(op, Op::Divide | Op::Remainder) && matches!(b, Node::Number(0.0)) {
            return Err(Problem::new(right.at, "division by zero"));
        }
        return Ok((Node::zip(f, a, b), Type::Number));
    }
    if let Op::And | Op::Or = op {
        let (f, name) = if op == Op::And { (Binary::And, "and") } else { (Binary::Or, "or") };
        return Ok((Node::zip(f, condition(left, names, name)?, condition(right, names, name)?), Type::Bool));
    }
    compare(op, left, right, names).map(|node| (node, Type::Bool))
}

/// A comparison; `a > b` is computed as `b < a`.
fn compare(op: Op, left: &Expr, right: &Expr, names: &mut dyn Names) -> Result<Node, Problem> {
    let ((a, of_a), (b, of_b)) = (check(left, names)?, check(right, names)?);
    let in_order = !matches!(op, Op::Greater | Op::AtLeast);
    let pair = |a: Node, b: Node| if in_order { (a, b) } else { (b, a) };
    let of_numbers = match op {
        Op::Less | Op::Greater => Binary::Less,
        Op::AtMost | Op::AtLeast => Binary::AtMost,
        _ => Binary::Equal,
    };
    let of_times = match op {
        Op::Less | Op::Greater => OfTimes::Earlier,
        Op::AtMost | Op::AtLeast => OfTimes::NotLater,
        _ => OfTimes::Same,
    };
    let compared = match (of_a, of_b) {
        (a, b) if a == Type::Nothing || b == Type::Nothing => {
            return Err(Problem::new(left.at, "a comparison with missing is never true: write is_missing(…)"));
        }
        (of_a, of_b) if of_a.is_number() && of_b.is_number() => {
            let (a, b) = pair(a, b);
            Node::zip(of_numbers, a, b)
        }
        (Type::Time, _) | (_, Type::Time) => {
            let of = "the comparison";
            let (a, b) = pair(as_time(left, (a, of_a), of)?, as_time(right, (b, of_b), of)?);
            Node::ZipTimes(of_times, Box::new(a), Box::new(b))
        }
        (Type::Text, Type::Text) if matches!(op, Op::Equal | Op::NotEqual) => match (a, b) {
            (Node::Text(stated), _) | (_, Node::Text(stated)) if stated.is_empty() => {
                return Err(Problem::new(
                    left.at,
                    "an empty text is a missing value, so this comparison is never true: write is_missing(…)",
                ));
            }
            (Node::Text(stated), of) | (of, Node::Text(stated)) => {
                Node::OfText(OfText::OneOf(vec![stated]), Box::new(of))
            }
            (a, b) => Node::SameText(Box::new(a), Box::new(b)),
        },
        (Type::Text, Type::Text) => {
            return Err(Problem::new(left.at, "texts have no order: compare with == or !="));
        }
        (of_a, of_b) => {
            let hint = match (&a, &b) {
                (Node::Number(stated), _) | (_, Node::Number(stated)) if of_a != Type::Bool && of_b != Type::Bool => {
                    format!(": write '{stated}'")
                }
                _ => String::new(),
            };
            let what = format!("{} and {} are never equal{hint}", of_a.name(), of_b.name());
            return Err(Problem::new(left.at, what));
        }
    };
    Ok(if op == Op::NotEqual { Node::map(Unary::Not, compared) } else { compared })
}

fn one_of(at: usize, value: &Expr, list: &[Expr], names: &mut dyn Names) -> Result<Node, Problem> {
    if list.is_empty() {
        return Err(Problem::new(at, "in needs values: in ('a', 'b')"));
    }
    let (node, found) = check(value, names)?;
    let node = Box::new(node);
    match found {
        Type::Text => {
            let texts = list.iter().map(|part| stated(part, "in")).collect::<Result<_, _>>()?;
            Ok(Node::OfText(OfText::OneOf(texts), node))
        }
        Type::Time => {
            let times = list.iter().map(|part| instant(part, &stated(part, "in")?)).collect::<Result<_, _>>()?;
            Ok(Node::OneOfTimes(times, node))
        }
        Type::Number | Type::Bool => {
            let number = |part: &Expr| match check(part, &mut NoNames)? {
                (Node::Number(value), _) if !value.is_nan() => Ok(value),
                (_, found) => Err(wrong(part, found, "a number", "in")),
            };
            Ok(Node::OneOf(list.iter().map(number).collect::<Result<_, _>>()?, node))
        }
        Type::Nothing => Err(Problem::new(value.at, "a missing value is never in a list: write is_missing(…)")),
    }
}

/// Resolves no names: only constants are allowed.
struct NoNames;

impl Names for NoNames {
    fn find(&mut self, name: &str) -> Result<(Node, Type), String> {
        Err(format!("a constant is needed here, not the column {name:?}"))
    }

    fn slot(&mut self) -> Result<usize, String> {
        Err("a constant is needed here, not a statistic".to_owned())
    }

    fn clock(&mut self) -> Result<(Node, Type), String> {
        Err("a constant is needed here, not a window".to_owned())
    }
}

/// Values that can share one column, with their common type.
fn alike(parts: Vec<(&Expr, Node, Type)>) -> Result<(Vec<Node>, Type), Problem> {
    let mut of = Type::Nothing;
    for (expr, _, found) in &parts {
        of = of.with(*found).ok_or_else(|| {
            Problem::new(expr.at, format!("this is {}, and the value before it is {}", found.name(), of.name()))
        })?;
    }
    let node = |(_, node, found): (&Expr, Node, Type)| if found == Type::Nothing { Node::nothing(of) } else { node };
    Ok((parts.into_iter().map(node).collect(), of))
}

fn checked<'e>(expr: &'e Expr, names: &mut dyn Names) -> Result<(&'e Expr, Node, Type), Problem> {
    check(expr, names).map(|(node, of)| (expr, node, of))
}

fn choose(at: usize, arms: &[(Expr, Expr)], otherwise: Option<&Expr>, names: &mut dyn Names) -> Checked {
    let (mut conditions, mut values) = (Vec::new(), Vec::new());
    for (when, then) in arms {
        conditions.push(condition(when, names, "the condition")?);
        values.push(checked(then, names)?);
    }
    if let Some(otherwise) = otherwise {
        values.push(checked(otherwise, names)?);
    }
    let (mut values, of) = alike(values)?;
    if of == Type::Nothing {
        return Err(Problem::new(at, "every value is missing"));
    }
    let last = if otherwise.is_some() { values.pop() } else { None }.unwrap_or_else(|| Node::nothing(of));
    Ok((Node::Choose(conditions.into_iter().zip(values).collect(), Box::new(last)), of))
}

/// Checks a definition that is a window: the statistic, its value, the keys, and the length.
pub(super) fn window(
    (statistic, of, by): (Statistic, Option<&Expr>, &[Expr]),
    over: &Over,
    slot: usize,
    names: &mut dyn Names,
) -> Result<Window, Problem> {
    let (of, by) = grouped(of, by, names)?;
    let (at, time) = match &over.column {
        Some((at, name)) => (*at, names.find(name)),
        None => (over.at, names.clock()),
    };
    match time.map_err(|what| Problem::new(at, what))? {
        (time @ Node::Raw(_), Type::Time) => {
            let length_us = i64::try_from(over.length.duration().as_micros()).unwrap_or(i64::MAX);
            Ok(Window { slot, statistic, of, by, time, length_us })
        }
        (_, found) => {
            let what = format!("a window needs a time column of [columns], and this is {}", found.name());
            Err(Problem::new(at, what))
        }
    }
}

/// The value and the keys of a statistic.
fn grouped(of: Option<&Expr>, by: &[Expr], names: &mut dyn Names) -> Result<(Option<Node>, Vec<Node>), Problem> {
    let of = of.map(|of| number(of, names, "the statistic")).transpose()?;
    let mut keys = Vec::new();
    for key in by {
        match check(key, names)? {
            (Node::Number(_) | Node::Text(_) | Node::Time(_), _) => {
                return Err(Problem::new(key.at, "by needs a column, not a constant"));
            }
            (node, _) => keys.push(node),
        }
    }
    Ok((of, keys))
}

/// Checks a call.
fn call(at: usize, function: Function, parts: &[Expr], names: &mut dyn Names) -> Checked {
    let name = function.name();
    if let Some((moment, of)) = moment(function) {
        let zone = parts.get(1).map_or(Ok(Zone::Utc), |named| zone(named, name))?;
        return Ok((Node::Calendar(moment, zone, Box::new(time(&parts[0], names, name)?)), of));
    }
    let of_number = match function {
        Function::Abs => Some(Unary::Abs),
        Function::Ceil => Some(Unary::Ceil),
        Function::Exp => Some(Unary::Exp),
        Function::Floor => Some(Unary::Floor),
        Function::Ln => Some(Unary::Ln),
        Function::Log1p => Some(Unary::Log1p),
        Function::Sqrt => Some(Unary::Sqrt),
        _ => None,
    };
    if let Some(f) = of_number {
        return Ok((Node::map(f, number(&parts[0], names, name)?), Type::Number));
    }
    let of_text = |test: OfText, names: &mut dyn Names| {
        let of = if matches!(test, OfText::Length | OfText::Number) { Type::Number } else { Type::Bool };
        Ok((Node::OfText(test, Box::new(text(&parts[0], names, name)?)), of))
    };
    match function {
        Function::Clip => {
            let low = Node::zip(Binary::Raise, number(&parts[0], names, name)?, number(&parts[1], names, name)?);
            Ok((Node::zip(Binary::Lower, low, number(&parts[2], names, name)?), Type::Number))
        }
        Function::Min | Function::Max => {
            let f = if function == Function::Min { Binary::Min } else { Binary::Max };
            let mut nodes =
                parts.iter().map(|part| number(part, names, name)).collect::<Result<Vec<_>, _>>()?.into_iter();
            let first = nodes.next().unwrap_or(Node::Number(f64::NAN));
            Ok((nodes.fold(first, |found, next| Node::zip(f, found, next)), Type::Number))
        }
        Function::Round => {
            let digits = parts.get(1).map_or(Ok(0.0), self::digits)?;
            Ok((Node::zip(Binary::Round, number(&parts[0], names, name)?, Node::Number(digits)), Type::Number))
        }
        Function::Coalesce => {
            let parts = parts.iter().map(|part| checked(part, names)).collect::<Result<_, _>>()?;
            match alike(parts)? {
                (_, Type::Nothing) => Err(Problem::new(at, "every value is missing")),
                (nodes, of) => Ok((Node::Coalesce(nodes), of)),
            }
        }
        Function::IsMissing => Ok((Node::IsMissing(Box::new(check(&parts[0], names)?.0)), Type::Bool)),
        Function::Date => Ok((Node::Time(instant(&parts[0], &stated(&parts[0], name)?)?), Type::Time)),
        Function::DaysBetween => {
            let (from, to) = (time(&parts[0], names, name)?, time(&parts[1], names, name)?);
            Ok((Node::ZipTimes(OfTimes::Days, Box::new(from), Box::new(to)), Type::Number))
        }
        Function::Lower => Ok((Node::Case(LetterCase::Lower, Box::new(text(&parts[0], names, name)?)), Type::Text)),
        Function::Upper => Ok((Node::Case(LetterCase::Upper, Box::new(text(&parts[0], names, name)?)), Type::Text)),
        Function::Length => of_text(OfText::Length, names),
        Function::Number => of_text(OfText::Number, names),
        Function::Contains => of_text(OfText::Contains(stated(&parts[1], name)?), names),
        Function::StartsWith => of_text(OfText::StartsWith(stated(&parts[1], name)?), names),
        Function::EndsWith => of_text(OfText::EndsWith(stated(&parts[1], name)?), names),
        _ => of_text(OfText::Matches(pattern(&parts[1], name)?), names),
    }
}

fn digits(expr: &Expr) -> Result<f64, Problem> {
    match check(expr, &mut NoNames)? {
        (Node::Number(digits), _) if digits.fract() == 0.0 && digits.abs() <= 15.0 => Ok(digits),
        _ => Err(Problem::new(expr.at, "round needs a whole number of digits from -15 to 15")),
    }
}
