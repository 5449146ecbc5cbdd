// Any bytes as Redis commands: the same commands, or the same error, whether they come at once or
// in pieces; and a command written as an array is that command again.
#include <string>
#include <string_view>
#include <vector>

#include "gort/apps/respd/resp_parse.h"
#include "gort/tests/fuzz/fuzz.h"

namespace {

using gort::fuzz::Check;
using respd::RespParser;
using Words = std::vector<std::string>;
using Result = RespParser::Result;

struct Outcome {
  std::vector<Words> commands;
  std::string error;
};

Outcome Parse(std::string_view bytes, size_t step) {
  RespParser parser;
  Outcome all;
  std::vector<std::string_view> args;
  for (size_t at = 0; at < bytes.size() && all.error.empty(); at += step) {
    parser.Feed(bytes.substr(at, step));
    Result r;
    while ((r = parser.Next(&args)) == Result::kCommand) {
      all.commands.emplace_back(args.begin(), args.end());
    }
    if (r == Result::kError) all.error = parser.error();
  }
  return all;
}

std::string Written(const Words& words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& w : words) {
    text += "$" + std::to_string(w.size()) + "\r\n" + w + "\r\n";
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gort::fuzz::Input input(data, size);
  const size_t step = 1 + input.Byte() % 32;
  const std::string_view bytes = input.Rest();
  const Outcome whole = Parse(bytes, bytes.size() + 1);
  const Outcome pieces = Parse(bytes, step);
  Check(whole.commands == pieces.commands, "pieces give the same commands", bytes);
  Check(whole.error == pieces.error, "pieces give the same error", bytes);
  if (!whole.error.empty()) {
    Check(whole.error.find("ERR Protocol error: ") == 0, "the protocol's error", whole.error);
  }
  std::string written;
  for (const Words& words : whole.commands) written += Written(words);
  const Outcome again = Parse(written, written.size() + 1);
  Check(again.error.empty() && again.commands == whole.commands, "written and read again", bytes);
  return 0;
}
