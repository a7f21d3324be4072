package org.llm4msr.app.demo;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * The goods of the synthetic company: every title is put together from the word lists below (brand,
 * quality, thing), in English and in Japanese. All brands are invented.
 */
final class Catalogue {
  /** A word or a name in both languages. */
  record Name(String en, String ja) {}

  /** A subcategory with the things sold in it. */
  record Subcategory(Name name, int category, List<Name> things) {}

  /** A category: its usual price on a scale from 0 (cheap) to 3 (dear), and its adjectives. */
  record Category(Name name, double usualPrice, List<Name> qualities) {}

  /** One article. {@code priceBand} indexes {@link #PRICE_BANDS}. */
  record Item(String id, Name title, int category, int subcategory, Name brand, int priceBand) {}

  static final List<String> PRICE_BANDS = List.of("budget", "standard", "premium", "luxury");

  /** How many brands sell in one category. */
  private static final int BRANDS_PER_CATEGORY = 6;

  /**
   * {@code # category | Japanese | usual price | quality=Japanese, ...} and below it {@code
   * subcategory | Japanese | thing=Japanese, ...}.
   */
  private static final String WORDS =
      """
      # Kitchen | キッチン用品 | 1.2 | Stainless=ステンレス, Non-Stick=こびりつかない, Handmade=手作り, Compact=コンパクト, Wooden=木製, Classic=定番
      Cookware | 調理器具 | Frying Pan=フライパン, Saucepan=片手鍋, Clay Pot=土鍋, Wok=中華鍋
      Tableware | 食器 | Rice Bowl=ご飯茶碗, Dinner Plate=大皿, Soup Cup=スープカップ, Chopsticks=箸
      Knives | 包丁 | Santoku Knife=三徳包丁, Bread Knife=パン切り包丁, Cutting Board=まな板, Whetstone=砥石
      Storage | 保存容器 | Lunch Box=弁当箱, Glass Jar=ガラス瓶, Canister=キャニスター, Bento Bag=弁当袋
      Baking | 製菓道具 | Cake Mould=ケーキ型, Whisk=泡立て器, Oven Tray=天板, Rolling Pin=めん棒
      # Sweets | お菓子 | 0.4 | Crispy=サクサク, Matcha=抹茶, Salted=塩味, Dark=ビター, Seasonal=季節限定, Assorted=詰め合わせ
      Chocolate | チョコレート | Chocolate Bar=板チョコ, Truffles=トリュフ, Cocoa Biscuit=ココアビスケット, Almond Chocolate=アーモンドチョコ
      Rice Crackers | せんべい | Soy Cracker=醤油せんべい, Seaweed Cracker=海苔せんべい, Rice Puffs=ライスパフ, Arare Mix=あられミックス
      Jelly and Candy | ゼリー・キャンディ | Fruit Jelly=フルーツゼリー, Gummies=グミ, Hard Candy=飴, Caramels=キャラメル
      Cakes | ケーキ | Sponge Cake=カステラ, Cheesecake=チーズケーキ, Roll Cake=ロールケーキ, Madeleines=マドレーヌ
      Wagashi | 和菓子 | Daifuku=大福, Dorayaki=どら焼き, Yokan=羊羹, Manju=饅頭
      # Coffee and Tea | コーヒー・お茶 | 1.0 | Organic=有機, Rich=濃厚, Mild=まろやか, Roasted=焙煎, Mountain=高原, Morning=朝の
      Coffee Beans | コーヒー豆 | Espresso Beans=エスプレッソ豆, House Blend=ハウスブレンド, Single Origin=単一農園, Decaf Beans=カフェインレス豆
      Instant Coffee | インスタントコーヒー | Instant Coffee=インスタントコーヒー, Coffee Sticks=スティックコーヒー, Iced Coffee=アイスコーヒー, Drip Bags=ドリップバッグ
      Green Tea | 緑茶 | Sencha=煎茶, Gyokuro=玉露, Genmaicha=玄米茶, Matcha Powder=抹茶パウダー
      Black Tea | 紅茶 | Earl Grey=アールグレイ, Breakfast Tea=朝食紅茶, Milk Tea=ミルクティー, Lemon Tea=レモンティー
      Brewing Gear | 抽出器具 | Coffee Dripper=ドリッパー, Teapot=急須, Coffee Grinder=コーヒーミル, Thermo Mug=保温マグ
      # Outdoor | アウトドア | 2.0 | Waterproof=防水, Lightweight=軽量, Foldable=折りたたみ, Rugged=頑丈, Alpine=登山用, Family=ファミリー
      Tents | テント | Dome Tent=ドームテント, Tarp=タープ, Screen House=スクリーンタープ, Solo Tent=ソロテント
      Sleeping Gear | 寝具 | Sleeping Bag=寝袋, Camp Mat=キャンプマット, Air Pillow=エアピロー, Hammock=ハンモック
      Camp Cooking | キャンプ調理 | Camp Stove=キャンプコンロ, Fire Pit=焚き火台, Mess Kit=クッカーセット, Cooler Box=クーラーボックス
      Hiking | ハイキング | Trekking Poles=トレッキングポール, Hiking Boots=登山靴, Day Pack=デイパック, Rain Jacket=レインジャケット
      Lighting | 照明 | Lantern=ランタン, Headlamp=ヘッドランプ, String Lights=ストリングライト, Torch=懐中電灯
      # Fitness | フィットネス | 1.5 | Breathable=通気性, Elastic=伸縮, Reflective=反射, Pro=プロ仕様, Quick-Dry=速乾, Everyday=毎日使える
      Running | ランニング | Running Shoes=ランニングシューズ, Running Cap=ランニングキャップ, Waist Pouch=ウエストポーチ, Sports Socks=スポーツソックス
      Yoga | ヨガ | Yoga Mat=ヨガマット, Yoga Block=ヨガブロック, Leggings=レギンス, Foam Roller=フォームローラー
      Strength | 筋トレ | Dumbbell=ダンベル, Kettlebell=ケトルベル, Push-Up Bar=プッシュアップバー, Resistance Band=トレーニングチューブ
      Swimming | 水泳 | Goggles=ゴーグル, Swim Cap=スイムキャップ, Swimsuit=水着, Kickboard=ビート板
      Supplements | サプリメント | Whey Protein=ホエイプロテイン, Energy Gel=エナジージェル, Vitamin Tablets=ビタミン錠, Electrolyte Drink=電解質飲料
      # Beauty | 美容 | 1.6 | Moist=しっとり, Gentle=低刺激, Brightening=透明感, Herbal=ハーブ, Fragrance-Free=無香料, Overnight=夜用
      Skincare | スキンケア | Face Lotion=化粧水, Serum=美容液, Face Cream=フェイスクリーム, Sheet Mask=シートマスク
      Makeup | メイク | Lipstick=口紅, Foundation=ファンデーション, Mascara=マスカラ, Eyeshadow=アイシャドウ
      Hair Care | ヘアケア | Shampoo=シャンプー, Conditioner=コンディショナー, Hair Oil=ヘアオイル, Hair Brush=ヘアブラシ
      Sun Care | 日焼け対策 | Sunscreen=日焼け止め, After-Sun Gel=アフターサンジェル, UV Spray=UVスプレー, Lip Balm=リップクリーム
      Bath | バス用品 | Bath Salts=入浴剤, Body Soap=ボディソープ, Hand Cream=ハンドクリーム, Bath Towel=バスタオル
      # Kids | キッズ | 0.9 | Soft=ふんわり, Colourful=カラフル, Washable=洗える, Safe=安心, Growing=成長, Animal=どうぶつ
      Toys | おもちゃ | Building Blocks=積み木, Toy Train=電車のおもちゃ, Plush Bear=くまのぬいぐるみ, Ball Set=ボールセット
      Picture Books | 絵本 | Bedtime Story=おやすみ絵本, Sound Book=音の絵本, Counting Book=数の絵本, Pop-Up Book=しかけ絵本
      Baby Care | ベビーケア | Diapers=おむつ, Baby Wipes=おしりふき, Baby Bottle=哺乳瓶, Baby Lotion=ベビーローション
      Kids Clothing | 子供服 | Kids T-Shirt=子供Tシャツ, Pyjamas=パジャマ, Rain Boots=長靴, Knit Hat=ニット帽
      School | 学用品 | School Bag=通学かばん, Pencil Case=筆箱, Crayons=クレヨン, Water Bottle=水筒
      # Pets | ペット用品 | 0.8 | Natural=自然派, Senior=シニア用, Grain-Free=穀物不使用, Cosy=ぬくぬく, Playful=わくわく, Durable=丈夫
      Dog Food | ドッグフード | Dry Dog Food=ドライドッグフード, Dog Treats=犬用おやつ, Chew Bone=かみかみ骨, Puppy Milk=子犬用ミルク
      Cat Food | キャットフード | Dry Cat Food=ドライキャットフード, Tuna Pouch=まぐろパウチ, Cat Treats=猫用おやつ, Kitten Milk=子猫用ミルク
      Pet Beds | ペットベッド | Dog Bed=犬用ベッド, Cat House=猫ハウス, Pet Blanket=ペット毛布, Cooling Mat=ひんやりマット
      Pet Toys | ペットのおもちゃ | Squeaky Ball=鳴るボール, Feather Wand=猫じゃらし, Rope Toy=ロープ玩具, Scratcher=爪とぎ
      Walking | お散歩用品 | Dog Leash=リード, Harness=ハーネス, Pet Raincoat=ペット用レインコート, Pet Carrier=ペットキャリー
      # Electronics | 家電 | 2.3 | Wireless=ワイヤレス, Smart=スマート, Silent=静音, Portable=携帯, High-Power=大出力, Slim=薄型
      Audio | オーディオ | Headphones=ヘッドホン, Earbuds=イヤホン, Speaker=スピーカー, Record Player=レコードプレーヤー
      Kitchen Appliances | 調理家電 | Rice Cooker=炊飯器, Electric Kettle=電気ケトル, Blender=ミキサー, Toaster=トースター
      Computing | パソコン周辺 | Keyboard=キーボード, Mouse=マウス, Webcam=ウェブカメラ, USB Hub=USBハブ
      Home Comfort | 空調 | Fan=扇風機, Humidifier=加湿器, Air Purifier=空気清浄機, Heater=ヒーター
      Mobile | モバイル | Power Bank=モバイルバッテリー, Phone Case=スマホケース, Charging Cable=充電ケーブル, Smart Watch=スマートウォッチ
      # Games | ゲーム | 1.4 | Limited=限定版, Strategy=戦略, Cooperative=協力型, Retro=レトロ, Deluxe=豪華版, Beginner=入門
      Video Games | テレビゲーム | Adventure Game=冒険ゲーム, Racing Game=レースゲーム, Puzzle Game=パズルゲーム, Game Controller=コントローラー
      Board Games | ボードゲーム | Board Game=ボードゲーム, Card Game=カードゲーム, Shogi Set=将棋セット, Dice Game=ダイスゲーム
      Model Kits | プラモデル | Robot Kit=ロボットキット, Castle Model=城の模型, Train Model=鉄道模型, Paint Set=塗料セット
      Crafts | 手芸 | Yarn=毛糸, Embroidery Kit=刺繍キット, Sewing Box=裁縫箱, Bead Set=ビーズセット
      Music | 楽器 | Ukulele=ウクレレ, Harmonica=ハーモニカ, Music Stand=譜面台, Drum Pad=電子ドラムパッド
      # Books | 本・文具 | 0.7 | Illustrated=図解, New=新刊, Pocket=文庫, Bestselling=人気, Practical=実用, Premium=上質
      Novels | 小説 | Mystery Novel=推理小説, Love Story=恋愛小説, Science Fiction=SF小説, Historical Novel=歴史小説
      Comics | 漫画 | Hero Comic=ヒーロー漫画, School Comic=学園漫画, Cooking Comic=料理漫画, Fantasy Comic=ファンタジー漫画
      Cookbooks | 料理本 | Bread Recipes=パンのレシピ, Quick Dinners=時短ごはん, Vegetable Recipes=野菜のレシピ, Noodle Book=麺の本
      Business | ビジネス書 | Investing Guide=投資入門, Team Handbook=チームの教科書, Writing Guide=文章術, Data Primer=データ入門
      Stationery | 文房具 | Notebook=ノート, Fountain Pen=万年筆, Planner=手帳, Sticky Notes=付箋
      # Fashion | ファッション | 1.9 | Linen=リネン, Cotton=コットン, Leather=レザー, Warm=あたたか, Cropped=ショート丈, Vintage=ヴィンテージ
      Tops | トップス | Shirt=シャツ, Sweater=セーター, Hoodie=パーカー, Cardigan=カーディガン
      Bottoms | ボトムス | Jeans=ジーンズ, Wide Trousers=ワイドパンツ, Pleated Skirt=プリーツスカート, Shorts=ショートパンツ
      Bags | バッグ | Tote Bag=トートバッグ, Shoulder Bag=ショルダーバッグ, Backpack=リュック, Clutch=クラッチバッグ
      Shoes | 靴 | Sneakers=スニーカー, Loafers=ローファー, Sandals=サンダル, Ankle Boots=ショートブーツ
      Accessories | 小物 | Scarf=マフラー, Wallet=財布, Sunglasses=サングラス, Umbrella=傘
      """;

  private static final List<Name> BRANDS =
      pairs(
          "Aonami=アオナミ, Birkholt=ビルクホルト, Corvella=コルヴェラ, Dailume=デイルーム,"
              + " Everdune=エバーデューン, Fuwariya=フワリヤ, Granmoor=グランムーア, Hinokuma=ヒノクマ,"
              + " Iwazora=イワゾラ, Jolanta Mill=ヨランタミル, Kazenoki=カゼノキ, Lumafold=ルマフォルド,"
              + " Mikazuki Works=ミカヅキワークス, Nordvik Lane=ノルドヴィクレーン, Oakpenny=オークペニー,"
              + " Polluxine=ポルクシン, Quillberg=クイルベルグ, Rindori=リンドリ, Sorakawa=ソラカワ,"
              + " Tamayura=タマユラ, Umbrasol=アンブラソル, Velstrand=ヴェルストランド,"
              + " Wakabane=ワカバネ, Yukimori=ユキモリ");

  private final List<Category> categories = new ArrayList<>();
  private final List<Subcategory> subcategories = new ArrayList<>();
  private final List<Item> items = new ArrayList<>();

  private Catalogue() {
    for (String line : WORDS.lines().toList()) {
      String[] parts = line.split(" \\| ");
      if (parts[0].startsWith("# ")) {
        Name name = new Name(parts[0].substring(2), parts[1]);
        categories.add(new Category(name, Double.parseDouble(parts[2]), pairs(parts[3])));
      } else {
        Name name = new Name(parts[0], parts[1]);
        subcategories.add(new Subcategory(name, categories.size() - 1, pairs(parts[2])));
      }
    }
  }

  /** A catalogue with {@code itemsPerSubcategory} articles in each subcategory, titles distinct. */
  static Catalogue generate(Random random, int itemsPerSubcategory) {
    Catalogue catalogue = new Catalogue();
    Set<String> titles = new HashSet<>();
    for (int s = 0; s < catalogue.subcategories.size(); s++) {
      for (int k = 0; k < itemsPerSubcategory; k++) {
        Item item;
        do {
          item = catalogue.draw(random, s);
        } while (!titles.add(item.title().en()));
        catalogue.items.add(item);
      }
    }
    return catalogue;
  }

  private Item draw(Random random, int subcategory) {
    Subcategory sub = subcategories.get(subcategory);
    Category category = categories.get(sub.category());
    int brandIndex = random.nextInt(BRANDS_PER_CATEGORY);
    // 5 and 24 share no divisor, so neighbouring categories share some brands and no two share all.
    Name brand = BRANDS.get((sub.category() * 5 + brandIndex) % BRANDS.size());
    Name quality = category.qualities().get(random.nextInt(category.qualities().size()));
    Name thing = sub.things().get(random.nextInt(sub.things().size()));
    Name title =
        new Name(
            brand.en() + " " + quality.en() + " " + thing.en(),
            brand.ja() + " " + quality.ja() + " " + thing.ja());
    double price = category.usualPrice() + 0.25 * (brandIndex - 2.5) + 0.7 * random.nextGaussian();
    int priceBand = Math.clamp(StrictMath.round(price), 0, PRICE_BANDS.size() - 1);
    String id = "item-%04d".formatted(items.size() + 1);
    return new Item(id, title, sub.category(), subcategory, brand, priceBand);
  }

  List<Category> categories() {
    return categories;
  }

  List<Subcategory> subcategories() {
    return subcategories;
  }

  List<Item> items() {
    return items;
  }

  private static List<Name> pairs(String list) {
    List<Name> names = new ArrayList<>();
    for (String pair : list.split(", ")) {
      String[] words = pair.split("=");
      names.add(new Name(words[0], words[1]));
    }
    return names;
  }
}
