//! Arrays with a shape, the inputs and outputs of operators.

/// The elements of a tensor in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub enum Elements {
    /// 32-bit numbers.
    Float(Vec<f32>),
    /// 64-bit numbers.
    Double(Vec<f64>),
    /// Whole numbers.
    Int64(Vec<i64>),
    /// Truth values.
    Bool(Vec<bool>),
    /// Texts.
    Text(Vec<String>),
}

/// An array with a shape; the product of its lengths is the number of elements.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The length of each axis.
    pub dims: Vec<usize>,
    /// The elements.
    pub elements: Elements,
}

impl Elements {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Float(v) => v.len(),
            Self::Double(v) => v.len(),
            Self::Int64(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::Text(v) => v.len(),
        }
    }

    /// The elements at `places`.
    pub(super) fn pick(&self, places: &[usize]) -> Self {
        fn of<T: Clone>(values: &[T], places: &[usize]) -> Vec<T> {
            places.iter().map(|&place| values[place].clone()).collect()
        }
        match self {
            Self::Float(v) => Self::Float(of(v, places)),
            Self::Double(v) => Self::Double(of(v, places)),
            Self::Int64(v) => Self::Int64(of(v, places)),
            Self::Bool(v) => Self::Bool(of(v, places)),
            Self::Text(v) => Self::Text(of(v, places)),
        }
    }

    /// Concatenates these elements and those of `others`, which have the same type.
    pub(super) fn followed_by(self, others: &[&Self]) -> Result<Self, String> {
        let mut all = self;
        for other in others {
            match (&mut all, other) {
                (Self::Float(a), Self::Float(b)) => a.extend(b),
                (Self::Double(a), Self::Double(b)) => a.extend(b),
                (Self::Int64(a), Self::Int64(b)) => a.extend(b),
                (Self::Bool(a), Self::Bool(b)) => a.extend(b),
                (Self::Text(a), Self::Text(b)) => a.extend(b.iter().cloned()),
                _ => return Err("its inputs are of several types".to_owned()),
            }
        }
        Ok(all)
    }
}

impl Tensor {
    /// A column: one element per row.
    #[must_use]
    pub fn column(elements: Elements) -> Self {
        Self { dims: vec![elements.len(), 1], elements }
    }

    pub(super) fn checked(self) -> Result<Self, String> {
        let n: usize = self.dims.iter().product();
        if n == self.elements.len() { Ok(self) } else { Err(format!("{n} elements are needed: {:?}", self.dims)) }
    }

    /// The same elements, repeated along axes of length 1 until the shape is `dims`.
    pub(super) fn broadcast(&self, dims: &[usize]) -> Result<Self, String> {
        if self.dims == dims {
            return Ok(self.clone());
        }
        let missing = dims.len() - self.dims.len();
        let mut strides = vec![0; dims.len()];
        let mut stride = 1;
        for (axis, &dim) in self.dims.iter().enumerate().rev() {
            if dim != 1 && dim != dims[axis + missing] {
                return Err(format!("{:?} does not fit {dims:?}", self.dims));
            }
            strides[axis + missing] = if dim == 1 { 0 } else { stride };
            stride *= dim;
        }
        let n: usize = dims.iter().product();
        let place = |mut at: usize| {
            let mut place = 0;
            for axis in (0..dims.len()).rev() {
                place += at % dims[axis] * strides[axis];
                at /= dims[axis];
            }
            place
        };
        let places: Vec<usize> = (0..n).map(place).collect();
        Ok(Self { dims: dims.to_vec(), elements: self.elements.pick(&places) })
    }

    pub(super) fn rows_and_columns(&self) -> Result<(usize, usize), String> {
        match self.dims.as_slice() {
            [rows, columns] => Ok((*rows, *columns)),
            other => Err(format!("is given the shape {other:?}, not rows and columns")),
        }
    }
}

/// The shape of several tensors that are broadcast to each other.
pub(super) fn common(tensors: &[&Tensor]) -> Result<Vec<usize>, String> {
    let n = tensors.iter().map(|tensor| tensor.dims.len()).max().unwrap_or(0);
    let mut dims = vec![1; n];
    for tensor in tensors {
        for (axis, &dim) in tensor.dims.iter().enumerate() {
            let axis = axis + n - tensor.dims.len();
            match (dims[axis], dim) {
                (_, 1) => {}
                (1, dim) => dims[axis] = dim,
                (have, dim) if have == dim => {}
                (have, dim) => return Err(format!("{have} and {dim} elements do not fit")),
            }
        }
    }
    Ok(dims)
}
