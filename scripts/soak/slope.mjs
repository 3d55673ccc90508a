/** How y grows with x, by least squares over points [x, y]. */
export function slope(points) {
  const mean = (i) => points.reduce((sum, point) => sum + point[i], 0) / points.length;
  const [t, m] = [mean(0), mean(1)];
  const above = points.reduce((sum, [x, y]) => sum + (x - t) * (y - m), 0);
  const below = points.reduce((sum, [x]) => sum + (x - t) ** 2, 0);
  return above / below;
}
