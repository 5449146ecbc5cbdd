#include "gort/traceback/demangle.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace gort::rt {
namespace {

std::string D(const char* mangled) {
  char out[256];
  return Demangle(mangled, out, sizeof out) ? out : "";
}

TEST(Demangle, Names) {
  EXPECT_EQ(D("_Z4mainv"), "main");
  EXPECT_EQ(D("_Z3fooIiEvT_"), "foo<...>");
  EXPECT_EQ(D("_ZN4gort2rt5ThrowEPKc"), "gort::rt::Throw");
  EXPECT_EQ(D("_ZNK4gort2rt4Note5IsSetEv"), "gort::rt::Note::IsSet");
  EXPECT_EQ(D("_ZN12_GLOBAL__N_15InnerEv"), "(anonymous namespace)::Inner");
  EXPECT_EQ(D("_ZN4gort2rt12_GLOBAL__N_17OnFrameEP15_Unwind_ContextPv"),
            "gort::rt::(anonymous namespace)::OnFrame");
  EXPECT_EQ(D("_ZL6staticv"), "static");
  EXPECT_EQ(D("_ZSt9terminatev"), "std::terminate");
  EXPECT_EQ(D("_ZN4gort2rt7PrinterD1Ev"), "gort::rt::Printer::~Printer");
  EXPECT_EQ(D("_ZN4gort2rt7PrinterC2EPcm"), "gort::rt::Printer::Printer");
  EXPECT_EQ(D("_ZN4gort2rt7PrinterlsEPKc"), "gort::rt::Printer::operator<<");
  EXPECT_EQ(D("_ZNSt6vectorIiSaIiEE9push_backERKi"), "std::vector<...>::push_back");
  EXPECT_EQ(D("_ZNKSs4sizeEv"), "std::string::size");
  EXPECT_EQ(D("_ZThn16_N1A1fEv"), "A::f");
  EXPECT_EQ(D("_Znwm"), "operator new");
  EXPECT_EQ(D("_ZN1AcvbEv"), "A::operator <type>");
  EXPECT_EQ(D("_Z4workB5cxx11v.isra.0"), "work");
}

TEST(Demangle, LambdasAndLocalNames) {
  EXPECT_EQ(D("_ZZ4mainENKUlvE_clEv"), "main::{lambda#1}::operator()");
  EXPECT_EQ(D("_ZZ4mainENKUliPKcE0_clEiS0_"), "main::{lambda#2}::operator()");
  EXPECT_EQ(D("_ZZN3foo3barEvE1x_0"), "foo::bar::x");
  EXPECT_EQ(D("_ZN4gort2rt13OnSystemStackIZNS0_4NewMEPFvvEPNS0_1PElEUlvE_EEvOT_"),
            "gort::rt::OnSystemStack<...>");
  EXPECT_EQ(D("_ZZN4gort2GoIZ4mainEUlvE_EEvOT_ENUlPvE_4_FUNES4_"),
            "gort::Go<...>::{lambda#1}::_FUN");
}

TEST(Demangle, WhatItDoesNotKnow) {
  EXPECT_EQ(D("main"), "");
  EXPECT_EQ(D(""), "");
  EXPECT_EQ(D("_Z"), "");
  EXPECT_EQ(D("_ZTV1A"), "");
  EXPECT_EQ(D("_ZN4gort"), "");
  EXPECT_EQ(D("_Z99foo"), "");
  EXPECT_EQ(D("_Z3fooIXplLi1ELi2EEEvv"), "");
}

TEST(Demangle, AnyPrefixAndAnySizeAreHarmless) {
  const char* name = "_ZZN4gort2GoIZ4mainEUlvE_EEvOT_ENUlPvE_4_FUNES4_";
  for (size_t n = 0; n <= strlen(name); ++n) {
    std::string part(name, n);
    D(part.c_str());
    char out[64];
    if (n > 0 && n < sizeof out) {
      memset(out, 'x', sizeof out);
      Demangle(name, out, n);
      EXPECT_EQ(out[n], 'x');
    }
  }
  std::string deep = "_Z1f";
  deep.append(100'000, 'P');
  D(deep.c_str());
  std::string nested = "_Z1fI";
  for (int i = 0; i < 10'000; ++i) nested += "N1aI";
  EXPECT_EQ(D(nested.c_str()), "");
}

}  // namespace
}  // namespace gort::rt
