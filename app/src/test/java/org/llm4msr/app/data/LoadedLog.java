package org.llm4msr.app.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.prompt.Language;

/** A small log with tables of users and items, in files. */
abstract class LoadedLog {
  static final String LOG =
      """
      user,item,place,clicked,hour,at,part
      007,i1,web,1,9,2026-01-01 10:00:00,train
      007,i2,web,0,9,2026-01-01 10:00:01,train
      ann,i1,store,1,10,2026-01-02,TRAIN
      ann,"i,3",store,0,,2026-01-03T00:00:00Z,valid
      bob,i2,web,1,23,2026-01-04,test
      """;
  static final String ITEMS =
      """
      id,name,name_ja,kinds,price
      i1,"Cup, ""large""\",大カップ,Kitchen|Gift,300
      i2,Tea,茶,Food,1200
      i9,Lamp,ランプ,,5
      """;
  static final String USERS =
      """
      id,tier
      ann,gold
      007,basic
      zoe,gold
      """;
  static final String YAML =
      """
      interactions:
        path: log.csv
        user: user
        item: item
        scenario: place
        label: clicked
        time: at
      items:
        path: items.csv
        key: id
        title: {en: name, ja: name_ja}
        categories: kinds
        separator: "|"
      users: {path: users.csv, key: id}
      scenarios:
        web: {title: Web shop, description: Online.}
        store: Store
      features:
        - user
        - item
        - {name: hour}
        - {name: kind, from: items, column: kinds, separator: "|"}
        - {name: price, from: items, buckets: log}
        - {name: tier, from: users, labels: {gold: golden}}
      split: {column: part}
      """;

  @TempDir Path folder;
  private final List<Dataset> loaded = new ArrayList<>();

  @AfterEach
  void close() {
    loaded.forEach(Dataset::close);
  }

  void write(String name, String text) throws IOException {
    Files.writeString(folder.resolve(name), text);
  }

  Dataset load(String yaml) throws IOException {
    return load(yaml, Language.EN);
  }

  Dataset load(String yaml, Language language) throws IOException {
    write("d.yaml", yaml);
    Dataset dataset =
        DatasetLoader.load(DataDescription.read(folder.resolve("d.yaml"), folder), language);
    loaded.add(dataset);
    return dataset;
  }

  void writeTables() throws IOException {
    write("log.csv", LOG);
    write("items.csv", ITEMS);
    write("users.csv", USERS);
  }
}
