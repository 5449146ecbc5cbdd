#include "gort/trace/testing/decoded.h"

#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <sstream>

namespace gort::testing {
namespace {

using Strings = std::map<uint64_t, std::string>;

// One field of a message: a number (varint or fixed), or bytes.
struct Field {
  uint32_t number;
  uint64_t value;
  std::string_view bytes;
};

class Reader {
 public:
  explicit Reader(std::string* error) : error_(error) {}

  uint64_t Varint(std::string_view* in) {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (in->empty()) return Fail("a number goes beyond its message");
      const auto b = static_cast<unsigned char>(in->front());
      in->remove_prefix(1);
      v |= uint64_t{b & 0x7fu} << shift;
      if (b < 0x80) return v;
    }
    return Fail("a number is too long");
  }

  void Fields(std::string_view in, const std::function<bool(const Field&)>& f) {
    while (!in.empty() && error_->empty()) {
      const uint64_t tag = Varint(&in);
      Field field{static_cast<uint32_t>(tag >> 3), 0, {}};
      switch (tag & 7) {
        case 0:
          field.value = Varint(&in);
          break;
        case 1:
          if (in.size() < 8) return static_cast<void>(Fail("a fixed64 goes beyond its message"));
          memcpy(&field.value, in.data(), 8);
          in.remove_prefix(8);
          break;
        case 2: {
          const uint64_t n = Varint(&in);
          if (n > in.size()) return static_cast<void>(Fail("bytes go beyond their message"));
          field.bytes = in.substr(0, n);
          in.remove_prefix(n);
          break;
        }
        default:
          return static_cast<void>(Fail("a wire type that nobody writes"));
      }
      if (error_->empty() && !f(field)) Fail("unexpected field " + std::to_string(field.number));
    }
  }

  uint64_t Fail(const std::string& text) {
    if (error_->empty()) *error_ = text;
    return 0;
  }

 private:
  std::string* error_;
};

class Decoder {
 public:
  explicit Decoder(DecodedTrace* out) : out_(out), r_(&out->error) {}

  void Packet(std::string_view in) {
    TraceItem item;
    bool has_event = false;
    std::string_view event;
    r_.Fields(in, [&](const Field& f) {
      switch (f.number) {
        case 8:
          item.ns = f.value;
          return true;
        case 10:
        case 13:
          return true;
        case 6:
        case 59:
          return true;
        case 11:
          has_event = true;
          event = f.bytes;
          return true;
        case 12:
          Interned(f.bytes);
          return true;
        case 60:
          Track(f.bytes);
          return true;
        default:
          return false;
      }
    });
    if (!has_event) return;
    Event(event, &item);
    out_->items.push_back(std::move(item));
  }

 private:
  // iid and text.
  void Entry(std::string_view in, Strings* to) {
    uint64_t iid = 0;
    std::string text;
    r_.Fields(in, [&](const Field& f) {
      if (f.number == 1) iid = f.value;
      if (f.number == 2) text = f.bytes;
      return f.number == 1 || f.number == 2;
    });
    if (!to->emplace(iid, text).second) r_.Fail("interned twice: " + text);
  }

  void Interned(std::string_view in) {
    r_.Fields(in, [&](const Field& f) {
      Strings* to = f.number == 2    ? &names_
                    : f.number == 3  ? &keys_
                    : f.number == 29 ? &values_
                                     : nullptr;
      if (to != nullptr) Entry(f.bytes, to);
      return to != nullptr;
    });
  }

  void Track(std::string_view in) {
    uint64_t uuid = 0, parent = 0;
    std::string name;
    r_.Fields(in, [&](const Field& f) {
      if (f.number == 1) uuid = f.value;
      if (f.number == 2) name = f.bytes;
      if (f.number == 3) name = "process";
      if (f.number == 5) parent = f.value;
      return f.number == 1 || f.number == 2 || f.number == 3 || f.number == 5 || f.number == 8;
    });
    if (parent != 0 && out_->tracks.count(parent) == 0) r_.Fail("a track before its parent");
    if (!out_->tracks.emplace(uuid, name).second) r_.Fail("a track twice: " + name);
  }

  const std::string& Look(const Strings& in, uint64_t iid) {
    const auto it = in.find(iid);
    static const std::string none;
    if (it == in.end()) r_.Fail("not interned: " + std::to_string(iid));
    return it == in.end() ? none : it->second;
  }

  void Note(std::string_view in, TraceItem* item) {
    std::string key, value;
    r_.Fields(in, [&](const Field& f) {
      if (f.number == 1) key = Look(keys_, f.value);
      if (f.number == 3) value = std::to_string(f.value);
      if (f.number == 17) value = Look(values_, f.value);
      return f.number == 1 || f.number == 3 || f.number == 17;
    });
    item->notes[key] = value;
  }

  void Event(std::string_view in, TraceItem* item) {
    r_.Fields(in, [&](const Field& f) {
      switch (f.number) {
        case 4:
          Note(f.bytes, item);
          return true;
        case 9:
          item->type = static_cast<TraceItem::Type>(f.value);
          return f.value >= 1 && f.value <= 4;
        case 10:
          item->name = Look(names_, f.value);
          return true;
        case 11:
          if (out_->tracks.count(f.value) == 0) r_.Fail("an event on no track");
          item->track = out_->tracks[f.value];
          return true;
        case 23:
          item->name = f.bytes;
          return true;
        case 30:
          item->value = static_cast<int64_t>(f.value);
          return true;
        case 47:
          item->flows.push_back(f.value);
          return true;
        case 48:
          item->last_flows.push_back(f.value);
          return true;
        default:
          return false;
      }
    });
  }

  DecodedTrace* const out_;
  Reader r_;
  Strings names_, keys_, values_;
};

struct TrackState {
  uint64_t ns = 0;
  int64_t open = 0;
};

}  // namespace

std::string TraceItem::note(const std::string& key) const {
  const auto it = notes.find(key);
  return it != notes.end() ? it->second : "";
}

uint64_t TraceItem::goid() const { return strtoull(note("goroutine").c_str(), nullptr, 10); }

std::vector<TraceItem> DecodedTrace::On(const std::string& track) const {
  std::vector<TraceItem> on;
  for (const TraceItem& i : items) {
    if (i.track == track) on.push_back(i);
  }
  return on;
}

std::vector<TraceItem> DecodedTrace::Named(const std::string& name) const {
  std::vector<TraceItem> named;
  for (const TraceItem& i : items) {
    if (i.name == name) named.push_back(i);
  }
  return named;
}

DecodedTrace DecodeTrace(std::string_view bytes) {
  DecodedTrace trace;
  Decoder decoder(&trace);
  Reader(&trace.error).Fields(bytes, [&](const Field& f) {
    if (f.number == 1) decoder.Packet(f.bytes);
    return f.number == 1;
  });
  return trace;
}

DecodedTrace DecodeTraceFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  DecodedTrace trace = DecodeTrace(bytes);
  if (!in.good() && bytes.empty()) trace.error = "no file, or an empty one: " + path;
  return trace;
}

std::string Inconsistency(const DecodedTrace& trace) {
  if (!trace.error.empty()) return trace.error;
  std::map<std::string, TrackState> tracks;
  std::map<uint64_t, uint64_t> began;
  std::set<uint64_t> ended;
  std::ostringstream what;
  size_t at = 0;
  for (const TraceItem& i : trace.items) {
    ++at;
    TrackState& t = tracks[i.track];
    if (i.type != TraceItem::kCounter && i.ns < t.ns) {
      what << "item " << at << ": time goes back on " << i.track;
      return what.str();
    }
    t.ns = i.ns;
    if (i.type == TraceItem::kBegin) ++t.open;
    if (i.type == TraceItem::kEnd && --t.open < 0) {
      what << "item " << at << ": an end without a beginning on " << i.track;
      return what.str();
    }
    for (const uint64_t f : i.flows) {
      if (!began.emplace(f, i.ns).second) return "an arrow begins twice";
    }
    for (const uint64_t f : i.last_flows) {
      const auto it = began.find(f);
      if (it == began.end()) return "an arrow ends that has not begun";
      if (!ended.insert(f).second) return "an arrow ends twice";
    }
  }
  for (const auto& [track, t] : tracks) {
    if (t.open != 0) return "a slice without an end on " + track;
  }
  return "";
}

std::string Overlap(const DecodedTrace& trace) {
  std::map<uint64_t, std::string> running;  // where
  std::map<std::string, std::vector<uint64_t>> open;
  for (const TraceItem& i : trace.items) {
    if (i.track.empty() || i.track[0] != 'P') continue;
    std::vector<uint64_t>& slices = open[i.track];
    if (i.type == TraceItem::kBegin) {
      slices.push_back(i.goid());
      if (i.goid() == 0) continue;  // a system call
      const auto [it, alone] = running.emplace(i.goid(), i.track);
      if (alone) continue;
      return "goroutine " + std::to_string(i.goid()) + " begins on " + i.track + " at " +
             std::to_string(i.ns) + " and has a turn on " + it->second;
    }
    if (i.type == TraceItem::kEnd && !slices.empty()) {
      running.erase(slices.back());
      slices.pop_back();
    }
  }
  return "";
}

}  // namespace gort::testing
