package org.llm4msr.model.tokenizer;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.runtime.UserError;

/**
 * Refuses regular expressions that could make the native library try one place of a text over and
 * over: it matches by backtracking (Oniguruma), and ends the process after ten million steps back
 * from one place.
 *
 * <p>What is counted is an upper bound of these steps, {@code factor * length^degree} for a text of
 * that length: a repetition that something after it can fail has as many ways as the text is long,
 * elements that follow each other multiply theirs, alternatives add up. Nothing fails after the
 * end, so what stands there is never stepped back into. The expressions of the known models have
 * degree 0 or 1.
 */
final class RegexChecks {
  /** Steps that the library takes before it gives up. */
  private static final int MOST_STEPS = 10_000_000;

  private static final int MOST_FACTOR = 64;

  /** Longest text, in characters: the bound then stays below the library's. */
  static final int MOST_CHARACTERS = MOST_STEPS / MOST_FACTOR;

  private static final int MOST_REPEATS = 1_000;
  private static final int MOST_LENGTH = 10_000;
  private static final int MOST_DEPTH = 50;
  private static final int UNBOUNDED = -1;

  /** Letters and digits whose meaning after a backslash ends with them or with braces. */
  private static final String ESCAPES = "pPxusSdDwWhHbBAzZGnrtfvaeRXNO0";

  private final String regex;
  private int at;
  private int depth;
  private boolean ignoresCase;

  private RegexChecks(String regex) {
    this.regex = regex;
  }

  /**
   * @param where begins the message
   * @throws UserError if matching can take too many steps, or the expression has a construct that
   *     is not known here
   */
  static void check(String where, String regex) {
    String problem;
    try {
      Cost cost = new RegexChecks(regex).whole().cost(true);
      if (cost.degree <= 1 && cost.factor <= MOST_FACTOR) {
        return;
      }
      problem = "could take forever on some texts";
    } catch (Unknown e) {
      problem = e.getMessage();
    }
    throw new UserError(
        where + ": the expression " + FileErrors.printable(regex) + " " + problem + ", refused");
  }

  private static final class Unknown extends Exception {
    private static final long serialVersionUID = 1;

    Unknown(String construct) {
      super("has " + construct);
    }
  }

  /** Steps back: at most {@code factor * length^degree}. */
  private record Cost(double factor, int degree) {
    static final Cost ONE = new Cost(1, 0);
    static final Cost FOREVER = new Cost(1, 100);

    Cost times(Cost other) {
      return new Cost(factor * other.factor, Math.min(100, degree + other.degree));
    }

    Cost plus(Cost other) {
      return new Cost(factor + other.factor, Math.max(degree, other.degree));
    }
  }

  private sealed interface Node {
    /**
     * @param atEnd whether nothing that comes after it can fail
     */
    Cost cost(boolean atEnd);

    boolean canFail();
  }

  /** A character, a class or an assertion; under (?i) it can match in two ways: ß is also ss. */
  private record Atom(int ways) implements Node {
    @Override
    public Cost cost(boolean atEnd) {
      return new Cost(ways, 0);
    }

    @Override
    public boolean canFail() {
      return true;
    }
  }

  private record Sequence(List<Node> parts) implements Node {
    @Override
    public Cost cost(boolean atEnd) {
      Cost cost = Cost.ONE;
      boolean rest = atEnd;
      for (Node part : parts.reversed()) {
        cost = cost.times(part.cost(rest));
        rest &= !part.canFail();
      }
      return cost;
    }

    @Override
    public boolean canFail() {
      return parts.stream().anyMatch(Node::canFail);
    }
  }

  private record Either(List<Node> branches) implements Node {
    @Override
    public Cost cost(boolean atEnd) {
      return branches.stream().map(branch -> branch.cost(atEnd)).reduce(Cost::plus).orElseThrow();
    }

    @Override
    public boolean canFail() {
      return branches.stream().allMatch(Node::canFail);
    }
  }

  /** Lookaround, an atomic group or a possessive repetition: left, it is not stepped back into. */
  private record Closed(Node body) implements Node {
    @Override
    public Cost cost(boolean atEnd) {
      return body.cost(true);
    }

    @Override
    public boolean canFail() {
      return true;
    }
  }

  private record Repeat(Node body, int least, int most) implements Node {
    @Override
    public Cost cost(boolean atEnd) {
      // The way out is tried where a repetition fails, so that earlier ones are not touched.
      boolean simple = atEnd && least <= 1;
      Cost one = body.cost(simple);
      boolean single = one.equals(Cost.ONE);
      if (most == UNBOUNDED) {
        if (simple) {
          return single ? Cost.ONE : one.times(new Cost(1, 1));
        }
        return single ? new Cost(1, 1) : Cost.FOREVER;
      }
      if (single) {
        return simple ? Cost.ONE : new Cost(most - least + 1.0, 0);
      }
      if (simple) {
        return one.times(new Cost(Math.max(1, most), 0));
      }
      Cost all = least == 0 ? Cost.ONE : new Cost(0, 0);
      Cost power = Cost.ONE;
      for (int times = 1; times <= most; times++) {
        power = power.times(one);
        all = times >= least ? all.plus(power) : all;
      }
      return all;
    }

    @Override
    public boolean canFail() {
      return least > 0 && body.canFail();
    }
  }

  private Node whole() throws Unknown {
    if (regex.length() > MOST_LENGTH) {
      throw new Unknown(regex.length() + " characters, at most " + MOST_LENGTH + " are supported");
    }
    if (regex.startsWith("(?i)")) {
      at = 4;
      ignoresCase = true;
    }
    Node node = alternatives();
    if (at < regex.length()) {
      throw new Unknown("a ) too many");
    }
    return node;
  }

  private boolean next(String text) {
    boolean here = regex.startsWith(text, at);
    at += here ? text.length() : 0;
    return here;
  }

  private int character() throws Unknown {
    if (at >= regex.length()) {
      throw new Unknown("no end");
    }
    int character = regex.codePointAt(at);
    at += Character.charCount(character);
    return character;
  }

  private Node alternatives() throws Unknown {
    List<Node> branches = new ArrayList<>();
    do {
      List<Node> parts = new ArrayList<>();
      while (at < regex.length() && regex.charAt(at) != '|' && regex.charAt(at) != ')') {
        parts.add(repeated(atom()));
      }
      branches.add(new Sequence(parts));
    } while (next("|"));
    return new Either(branches);
  }

  private Node atom() throws Unknown {
    int character = character();
    return switch (character) {
      case '(' -> group();
      case '[' -> {
        skipSet();
        yield folded(true);
      }
      case '\\' -> {
        skipEscape();
        yield folded(true);
      }
      case '*', '+', '?' -> throw new Unknown("a repetition of nothing");
      default -> folded(character >= 0x80 || character == '.');
    };
  }

  private Atom folded(boolean several) {
    return new Atom(ignoresCase && several ? 2 : 1);
  }

  private Node group() throws Unknown {
    if (++depth > MOST_DEPTH) {
      throw new Unknown("groups nested too deeply");
    }
    boolean outside = ignoresCase;
    boolean closed = next("?=") || next("?!") || next("?<=") || next("?<!") || next("?>");
    if (!closed) {
      if (next("?i:")) {
        ignoresCase = true;
      } else if (!next("?:") && next("?")) {
        throw new Unknown("a kind of group that is not supported");
      }
    }
    Node body = alternatives();
    if (!next(")")) {
      throw new Unknown("a ( without its )");
    }
    depth--;
    ignoresCase = outside;
    return closed ? new Closed(body) : body;
  }

  private void skipEscape() throws Unknown {
    int kind = character();
    boolean letter = kind < 0x80 && Character.isLetterOrDigit(kind);
    if (letter && ESCAPES.indexOf(kind) < 0) {
      throw new Unknown("\\" + Character.toString(kind) + ", which is not supported");
    }
    if (next("{")) {
      int end = regex.indexOf('}', at);
      if (kind != 'p' && kind != 'P' && kind != 'x' || end < 0) {
        throw new Unknown("a { after \\" + Character.toString(kind));
      }
      at = end + 1;
    }
  }

  /** A set in brackets, in which others may be nested. */
  private void skipSet() throws Unknown {
    beginSet();
    int open = 1;
    while (open > 0) {
      int character = character();
      if (character == '\\') {
        skipEscape();
      } else if (character == '[') {
        beginSet();
        open++;
      } else if (character == ']') {
        open--;
      }
    }
  }

  private void beginSet() throws Unknown {
    next("^");
    if (regex.startsWith("]", at)) {
      throw new Unknown("a set that begins with ]");
    }
  }

  private Node repeated(Node body) throws Unknown {
    Node node = body;
    while (at < regex.length()) {
      if (next("*")) {
        node = marked(new Repeat(node, 0, UNBOUNDED));
      } else if (next("+")) {
        node = marked(new Repeat(node, 1, UNBOUNDED));
      } else if (next("?")) {
        node = marked(new Repeat(node, 0, 1));
      } else if (regex.charAt(at) == '{') {
        node = counted(node);
      } else {
        break;
      }
    }
    return node;
  }

  /** Possessive or reluctant. */
  private Node marked(Repeat repeat) {
    if (next("+")) {
      return new Closed(repeat);
    }
    next("?");
    return repeat;
  }

  private Node counted(Node body) throws Unknown {
    int end = regex.indexOf('}', at);
    String range = end < 0 ? "" : regex.substring(at + 1, end);
    if (!range.matches("\\d{1,4}(,\\d{0,4})?|,\\d{1,4}")) {
      throw new Unknown("a { that counts nothing");
    }
    at = end + 1;
    String[] bounds = range.split(",", -1);
    int least = bounds[0].isEmpty() ? 0 : Integer.parseInt(bounds[0]);
    String last = bounds[bounds.length - 1];
    int most = last.isEmpty() ? UNBOUNDED : Integer.parseInt(last);
    if (least > MOST_REPEATS || most > MOST_REPEATS || most != UNBOUNDED && most < least) {
      throw new Unknown("a range {" + range + "}");
    }
    return new Repeat(body, least, most);
  }
}
