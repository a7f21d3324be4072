package org.llm4msr.app.command;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.model.recommender.backbone.BackboneOption;
import picocli.CommandLine.Model.UsageMessageSpec;

/** The list of backbones and their options, for the help of every command that trains. */
public final class BackboneHelp {
  private BackboneHelp() {}

  /** Puts it before a command's footer. */
  public static void addTo(UsageMessageSpec usage) {
    List<String> lines = new ArrayList<>(List.of("", "Backbones and their options:"));
    for (BackboneKind backbone : BackboneKind.values()) {
      lines.add("  " + backbone.label() + ": " + backbone.description());
      for (BackboneOption option : backbone.options()) {
        lines.add(
            "      %s=%s  %s".formatted(option.name(), option.initial(), option.description()));
      }
    }
    usage.footer(Stream.concat(lines.stream(), Stream.of(usage.footer())).toArray(String[]::new));
  }
}
