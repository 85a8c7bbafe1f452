// The standard normal distribution function, included by activation.c.
//
// Weighted least-squares fits that converge to the minimax polynomial: for |x| <= 1.3,
// Phi(x) - 1/2 = x P(x^2) with relative error 1.5e-8; for 1.3 < t <= 8,
// log(2 Phi(-t)) = -t^2 / 2 + Q((t - 4.65) / 3.35) with absolute error 5.4e-8, which is the relative error of
// Phi(-t). Beyond 8, where Phi(-t) < 1e-15, Q stays constant.
INLINE float normal_distribution(float x) {
  float s = x * x;
  float p = -6.632301114e-06f;
  p = p * s + 1.103859402e-04f;
  p = p * s - 1.182996926e-03f;
  p = p * s + 9.971847797e-03f;
  p = p * s - 6.649013022e-02f;
  p = p * s + 3.989422744e-01f;
  float t = x < 0 ? -x : x;
  float u = ((t > 8.0f ? 8.0f : t) - 4.65f) * (1.0f / 3.35f);
  float q = -2.201955091e-04f;
  q = q * u + 8.635216688e-04f;
  q = q * u - 2.142026896e-03f;
  q = q * u + 5.391993566e-03f;
  q = q * u - 1.357562144e-02f;
  q = q * u + 3.300907603e-02f;
  q = q * u - 8.025474429e-02f;
  q = q * u + 2.066037597e-01f;
  q = q * u - 6.654743525e-01f;
  q = q * u - 1.804491443e+00f;
  float tail = 0.5f * exp_f32(q - 0.5f * s);
  float far = x < 0 ? tail : 1.0f - tail;
  return t <= 1.3f ? 0.5f + x * p : far;
}
