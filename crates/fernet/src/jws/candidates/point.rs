//! Points of P-256 as they are added up: never in secret, never in constant time.

use p256::elliptic_curve::PrimeField as _;
use p256::elliptic_curve::hazmat::FieldArithmetic;
use p256::elliptic_curve::point::AffineCoordinates as _;
use p256::{AffinePoint, NistP256};

/// An integer modulo p.
pub(super) type Coordinate = <NistP256 as FieldArithmetic>::FieldElement;

/// A point that is not at infinity.
#[derive(Clone, Copy)]
pub(super) struct Affine {
    pub(super) x: Coordinate,
    pub(super) y: Coordinate,
}

impl Affine {
    pub(super) fn read(point: &AffinePoint) -> Option<Self> {
        let x: Option<Coordinate> = Coordinate::from_repr(point.x()).into();
        let y: Option<Coordinate> = Coordinate::from_repr(point.y()).into();
        Some(Self { x: x?, y: y? })
    }
}

/// A point as X / ZZ and Y / ZZZ, where ZZ³ = ZZZ²; at infinity ZZ is zero.
///
/// With these four a point is added that has its plain coordinates for ten multiplications, and an x is compared for one.
/// The formulas are `madd-2008-s` and `mdbl-2008-s-1` of the Explicit-Formulas Database, for a = −3.
#[derive(Clone, Copy)]
pub(super) struct Point {
    x: Coordinate,
    y: Coordinate,
    zz: Coordinate,
    zzz: Coordinate,
}

impl Point {
    pub(super) const INFINITY: Self = Self {
        x: Coordinate::ONE,
        y: Coordinate::ONE,
        zz: Coordinate::ZERO,
        zzz: Coordinate::ZERO,
    };

    fn is_infinity(&self) -> bool {
        self.zz == Coordinate::ZERO
    }

    /// Whether it has this x; at infinity it has none.
    pub(super) fn has_x(&self, x: &Coordinate) -> bool {
        !self.is_infinity() && self.x == x.multiply(&self.zz)
    }

    pub(super) fn add(&self, other: &Affine) -> Self {
        if self.is_infinity() {
            return Self {
                x: other.x,
                y: other.y,
                zz: Coordinate::ONE,
                zzz: Coordinate::ONE,
            };
        }
        let p = other.x.multiply(&self.zz).sub(&self.x);
        let r = other.y.multiply(&self.zzz).sub(&self.y);
        if p == Coordinate::ZERO {
            // The same x: the same point, or its negative.
            return if r == Coordinate::ZERO {
                Self::twice(other)
            } else {
                Self::INFINITY
            };
        }
        let pp = p.square();
        let ppp = pp.multiply(&p);
        let q = self.x.multiply(&pp);
        let x = r.square().sub(&ppp).sub(&q.double());
        Self {
            x,
            y: r.multiply(&q.sub(&x)).sub(&self.y.multiply(&ppp)),
            zz: self.zz.multiply(&pp),
            zzz: self.zzz.multiply(&ppp),
        }
    }

    fn twice(point: &Affine) -> Self {
        let u = point.y.double();
        let v = u.square();
        let w = u.multiply(&v);
        let s = point.x.multiply(&v);
        let squared = point.x.square().sub(&Coordinate::ONE);
        let m = squared.double().add(&squared);
        let x = m.square().sub(&s.double());
        Self {
            x,
            y: m.multiply(&s.sub(&x)).sub(&w.multiply(&point.y)),
            zz: v,
            zzz: w,
        }
    }
}

/// The plain coordinates of points, by one division for all of them. `None` if one is at infinity.
pub(super) fn normalized(points: &[Point]) -> Option<Vec<Affine>> {
    let mut product = Coordinate::ONE;
    let mut before = Vec::with_capacity(points.len());
    for point in points {
        before.push(product);
        product = product.multiply(&point.zzz);
    }
    let mut inverse: Coordinate = Option::from(product.invert_vartime())?;
    let mut found: Vec<Affine> = points
        .iter()
        .zip(before)
        .rev()
        .map(|(point, before)| {
            let by_zzz = inverse.multiply(&before);
            inverse = inverse.multiply(&point.zzz);
            // ZZ² / ZZZ² is 1 / ZZ.
            let by_zz = by_zzz.multiply(&point.zz).square();
            Affine {
                x: point.x.multiply(&by_zz),
                y: point.y.multiply(&by_zzz),
            }
        })
        .collect();
    found.reverse();
    Some(found)
}
