//! What arrived against what production was trained on: is there a reason to retrain?

pub mod report;
