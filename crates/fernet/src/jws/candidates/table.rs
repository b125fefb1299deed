//! Multiples of a point that is known beforehand.

use p256::Scalar;
use p256::elliptic_curve::scalar::IsHigh as _;

use super::point::{self, Affine, Point};

/// The digits of a scalar, of eight bits each.
const DIGITS: usize = 32;
/// The greatest digit: from −127 to 128 there is one of each value modulo 256.
const GREATEST: u16 = 128;
/// As many points stand in each row.
const ROW: usize = 128;

/// One digit: so many times the point of its row, or its negative.
#[derive(Clone, Copy, Default)]
struct Digit {
    magnitude: u16,
    is_negative: bool,
}

/// A scalar as a sum of digits times powers of 256, the lowest first.
pub(super) struct Digits([Digit; DIGITS]);

impl Digits {
    pub(super) fn of(scalar: &Scalar) -> Self {
        // Of a scalar and its negative one is below 2^255, so that nothing is carried out of its highest digit.
        let is_high = bool::from(scalar.is_high());
        let low = if is_high {
            Scalar::ZERO.sub(scalar)
        } else {
            *scalar
        };
        let mut digits = [Digit::default(); DIGITS];
        let mut carry = 0;
        for (digit, octet) in digits.iter_mut().zip(low.to_bytes().iter().rev()) {
            let value = u16::from(*octet).saturating_add(carry);
            let is_above = value > GREATEST;
            *digit = Digit {
                magnitude: if is_above {
                    256_u16.saturating_sub(value)
                } else {
                    value
                },
                is_negative: is_above != is_high,
            };
            carry = u16::from(is_above);
        }
        Self(digits)
    }
}

/// For each place of a digit what each digit stands for, signs left out: 4,096 points, 256 KiB.
pub(super) struct Table(Vec<Affine>);

impl Table {
    /// `None` for a point that is not as it must be, which no key has.
    pub(super) fn new(point: Affine) -> Option<Self> {
        let mut points = Vec::with_capacity(DIGITS.saturating_mul(ROW));
        let mut unit = point;
        for _place in 0..DIGITS {
            let next = |last: &Point| Some(last.add(&unit));
            let row: Vec<Point> = std::iter::successors(next(&Point::INFINITY), next)
                .take(ROW)
                .collect();
            points.extend(point::normalized(&row)?);
            // 128 and 128 units are one of the next row.
            let next = [Point::INFINITY.add(points.last()?).add(points.last()?)];
            unit = point::normalized(&next)?.pop()?;
        }
        Some(Self(points))
    }

    /// The sum and so many times the table's point.
    pub(super) fn add(&self, mut sum: Point, digits: &Digits) -> Point {
        for (row, digit) in self.0.chunks_exact(ROW).zip(digits.0) {
            let place = usize::from(digit.magnitude).checked_sub(1);
            let Some(point) = place.and_then(|place| row.get(place)) else {
                continue;
            };
            sum = if digit.is_negative {
                sum.add(&Affine {
                    x: point.x,
                    y: point.y.neg(),
                })
            } else {
                sum.add(point)
            };
        }
        sum
    }
}
