// examples/power_series.cc: power series as channels of their coefficients.
//
// A series is a channel that yields its coefficients, the constant one first, for ever; an
// operation is a goroutine that reads some and sends another. Equations solve themselves: the
// exponential is its own integral plus one, so its channel is led back into the integration.
// After M. D. McIlroy, "Squinting at power series" (1990).
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "gflags/gflags.h"
#include "gort/apps/common/flags.h"
#include "gort/chan/chan.h"
#include "gort/runtime.h"

DEFINE_string(series, "exp", "exp, sin, cos, tan, tan_times_cos (which is sin), geometric");
DEFINE_int32(n, 10, "how many coefficients, at most 16");

namespace {

bool InRange(const char*, int32_t n) { return 0 <= n && n <= 16; }  // what 64 bits can hold
DEFINE_validator(n, &InRange);

// num / den in lowest terms, den > 0.
struct Rational {
  int64_t num = 0;
  int64_t den = 1;
};

Rational Reduced(int64_t num, int64_t den) {
  const int64_t d = std::gcd(num, den);
  return {num / d, den / d};
}
Rational operator+(Rational a, Rational b) {
  const int64_t lcm = std::lcm(a.den, b.den);
  return Reduced(a.num * (lcm / a.den) + b.num * (lcm / b.den), lcm);
}
Rational operator*(Rational a, Rational b) {
  // Cancels crosswise first, which keeps the factors small.
  const Rational x = Reduced(a.num, b.den), y = Reduced(b.num, a.den);
  return {x.num * y.num, x.den * y.den};
}

using Series = gort::RecvChan<Rational>;
using Out = gort::SendChan<Rational>;

// The series that f(out) sends.
template <class F>
Series Make(F f) {
  gort::Chan<Rational> out = gort::MakeChan<Rational>();
  gort::Go(std::move(f), Out(out));
  return out;
}

Rational Next(const Series& s) { return s.Recv().value_or(Rational()); }

// f, twice. Each of the two is read at its own pace; coefficients wait for the slower reader.
std::pair<Series, Series> Split(const Series& f) {
  // Room for all coefficients that are read, so that the slower reader does not hold up the other.
  gort::Chan<Rational> a = gort::MakeChan<Rational>(32), b = gort::MakeChan<Rational>(32);
  gort::Go([f, a, b] {
    for (Rational c : f) {
      a.Send(c);
      b.Send(c);
    }
  });
  return {a, b};
}

// factor * f
Series Scale(Rational factor, const Series& f) {
  return Make([=](const Out& out) {
    for (Rational c : f) out.Send(factor * c);
  });
}

// constant + f
Series AddConstant(Rational constant, const Series& f) {
  return Make([=](const Out& out) {
    out.Send(constant + Next(f));
    for (Rational c : f) out.Send(c);
  });
}

// f * g
Series Multiply(const Series& f, const Series& g) {
  return Make([=](const Out& out) {
    std::vector<Rational> fs, gs;
    while (true) {
      fs.push_back(Next(f));
      gs.push_back(Next(g));
      Rational sum;
      for (size_t i = 0; i < fs.size(); ++i) sum = sum + fs[i] * gs[fs.size() - 1 - i];
      out.Send(sum);
    }
  });
}

// The integral of f with the value `constant` at 0. Sends the constant before it reads from f, so
// that f may depend on the integral.
Series Integrate(Rational constant, const Series& f) {
  return Make([=](const Out& out) {
    out.Send(constant);
    for (int64_t n = 1;; ++n) out.Send(Next(f) * Rational{1, n});
  });
}

// The f for which f = equation(f).
template <class F>
Series Solve(F equation) {
  gort::Chan<Rational> loop = gort::MakeChan<Rational>();
  auto [result, back] = Split(equation(Series(loop)));
  gort::Go([loop, back = std::move(back)] {
    for (Rational c : back) loop.Send(c);
  });
  return result;
}

Series Exp() {
  return Solve([](const Series& e) { return Integrate({1, 1}, e); });
}
// sin = integral of (1 - integral of sin)
Series Sin() {
  return Solve([](const Series& s) {
    return Integrate({0, 1}, AddConstant({1, 1}, Scale({-1, 1}, Integrate({0, 1}, s))));
  });
}
// cos = 1 - integral of sin
Series Cos() { return AddConstant({1, 1}, Scale({-1, 1}, Integrate({0, 1}, Sin()))); }
// tan' = 1 + tan * tan
Series Tan() {
  return Solve([](const Series& t) {
    auto [a, b] = Split(t);
    return Integrate({0, 1}, AddConstant({1, 1}, Multiply(a, b)));
  });
}
// 1 + x + x^2 + ... = 1 / (1 - x): f = 1 + x f
Series Geometric() {
  return Solve([](const Series& f) {
    return Make([=](const Out& out) {
      out.Send({1, 1});
      for (Rational c : f) out.Send(c);
    });
  });
}

Series Named(const std::string& name) {
  if (name == "exp") return Exp();
  if (name == "sin") return Sin();
  if (name == "cos") return Cos();
  if (name == "tan") return Tan();
  if (name == "tan_times_cos") return Multiply(Tan(), Cos());
  if (name == "geometric") return Geometric();
  apps::BadUsage("--series: there is no \"" + name + "\"");
}

}  // namespace

int gort_main(int argc, char** argv) {
  if (!apps::ParseFlags(argc, argv, "usage: power_series [flags]", __FILE__).empty()) {
    apps::BadUsage("there are no arguments");
  }
  const Series series = Named(FLAGS_series);
  for (int32_t i = 0; i < FLAGS_n; ++i) {
    const Rational c = Next(series);
    std::printf("%s%" PRId64, i == 0 ? "" : " ", c.num);
    if (c.den != 1) std::printf("/%" PRId64, c.den);
  }
  std::printf("\n");
  return std::fflush(stdout) == 0 ? 0 : 1;
}
