use serde::{Deserialize, Serialize};

/// One bad field of a request, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    pub field: String,
    pub problem: String,
}

impl FieldProblem {
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

/// Which part of a list is asked for: pages count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub page: u32,
    pub page_size: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { page: 1, page_size: Self::DEFAULT_SIZE }
    }
}

impl Page {
    pub const DEFAULT_SIZE: u32 = 20;
    pub const MAX_SIZE: u32 = 200;

    /// What is not given is the first page and [`Self::DEFAULT_SIZE`].
    ///
    /// # Errors
    /// Names `page` when it is 0, else `page_size` when it is 0 or above [`Self::MAX_SIZE`].
    pub fn parse(page: Option<u32>, page_size: Option<u32>) -> Result<Self, FieldProblem> {
        let (page, page_size) = (page.unwrap_or(1), page_size.unwrap_or(Self::DEFAULT_SIZE));
        if page == 0 {
            return Err(FieldProblem::new("page", "counts from 1"));
        }
        if !(1..=Self::MAX_SIZE).contains(&page_size) {
            return Err(FieldProblem::new(
                "page_size",
                format!("not between 1 and {}", Self::MAX_SIZE),
            ));
        }
        Ok(Self { page, page_size })
    }

    /// As [`Self::parse`] for messages that write 0 for what is not given.
    pub fn from_wire(page: u32, page_size: u32) -> Result<Self, FieldProblem> {
        Self::parse((page != 0).then_some(page), (page_size != 0).then_some(page_size))
    }

    /// Rows before this page.
    pub fn offset(self) -> i64 {
        (i64::from(self.page) - 1) * i64::from(self.page_size)
    }

    /// Rows on this page, at most.
    pub fn limit(self) -> i64 {
        i64::from(self.page_size)
    }
}

#[cfg(test)]
mod tests {
    use super::Page;

    fn problem(page: Option<u32>, page_size: Option<u32>) -> String {
        Page::parse(page, page_size).unwrap_err().field
    }

    #[test]
    fn a_page_not_asked_for_is_the_first_of_twenty() {
        assert_eq!(Page::parse(None, None), Ok(Page { page: 1, page_size: 20 }));
        assert_eq!(Page::from_wire(0, 0), Ok(Page::default()));
    }

    #[test]
    fn a_page_out_of_range_is_named() {
        assert_eq!(problem(Some(0), None), "page");
        assert_eq!(problem(None, Some(0)), "page_size");
        assert_eq!(problem(None, Some(201)), "page_size");
        assert!(Page::parse(Some(u32::MAX), Some(200)).is_ok());
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let second = Page::parse(Some(2), Some(50)).unwrap();
        assert_eq!((second.offset(), second.limit()), (50, 50));
        let last = Page::parse(Some(u32::MAX), Some(200)).unwrap();
        assert_eq!(last.offset(), 858_993_458_800);
    }
}
