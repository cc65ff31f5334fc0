"""Texts of classes: plain synonyms and broader words beside a class's own name."""

# Broader words by WordNet 3.0 offset (inclusive ranges; animals stand together in it).
_GROUPS = [
    (1440764, 1498041, ["fish"]),
    (1503061, 1624537, ["bird"]),
    (1629819, 1644900, ["amphibian"]),
    (1641577, 1644900, ["frog"]),
    (1664065, 1669191, ["turtle"]),
    (1675722, 1704323, ["reptile"]),
    (1697457, 1698640, ["alligator", "crocodile"]),
    (1728572, 1756291, ["snake"]),
    (1773157, 1776313, ["spider"]),
    (1806143, 1860187, ["bird"]),
    (1944390, 1945685, ["snail"]),
    (1978287, 1990800, ["crustacean", "shellfish"]),
    (2002556, 2058221, ["bird"]),
    (2056570, 2056570, ["penguin"]),
    (2085620, 2113978, ["dog", "dog", "a pet dog"]),
    (2114367, 2114855, ["wolf"]),
    (2115641, 2116738, ["wild dog"]),
    (2119022, 2120505, ["fox"]),
    (2123045, 2124075, ["cat", "cat", "a pet cat"]),
    (2125311, 2130308, ["big cat", "wild cat"]),
    (2132136, 2134418, ["bear"]),
    (2165105, 2177972, ["beetle", "insect"]),
    (2190166, 2268853, ["insect"]),
    (2276258, 2281787, ["butterfly"]),
    (2395406, 2397096, ["pig"]),
    (2403003, 2410509, ["cattle", "cow"]),
    (2412080, 2417914, ["sheep", "goat"]),
    (2422106, 2423022, ["antelope"]),
    (2437312, 2437616, ["camel"]),
    (2480495, 2484975, ["ape", "monkey"]),
    (2485371, 2494079, ["monkey"]),
    (2503517, 2504458, ["elephant"]),
    (2509815, 2510455, ["panda"]),
    (2514041, 2655020, ["fish"]),
]

# Plain words people use, by WordNet id.
_ALSO = {
    "n01532829": ["bird", "small bird"], "n01917289": ["coral", "underwater"],
    "n01930112": ["worm"], "n01910747": ["sea creature underwater"],
    "n02687172": ["ship", "warship"], "n02699494": ["church interior"],
    "n02747177": ["garbage bin"], "n02769748": ["bag"], "n02788148": ["stairs", "railing"],
    "n02791270": ["hairdresser", "barber"], "n02793495": ["farm building"],
    "n02802426": ["ball"], "n02808440": ["bathroom"], "n02814533": ["car", "automobile"],
    "n02814860": ["tower by the sea"], "n02823428": ["bottle", "beer"],
    "n02837789": ["woman in swimwear", "swimsuit"], "n02871525": ["shop", "books", "bookshelf"],
    "n02883205": ["tie"], "n02917067": ["train"], "n02927161": ["shop", "meat"],
    "n02950826": ["gun"], "n02963159": ["sweater"], "n02977058": ["bank machine", "ATM"],
    "n02979186": ["radio", "stereo"], "n02981792": ["boat", "sailboat"],
    "n02988304": ["stereo", "electronics"], "n03026506": ["christmas decoration"],
    "n03028079": ["building"], "n03042490": ["ancient ruins"], "n03047690": ["shoes"],
    "n03085013": ["computer", "typing"], "n03089624": ["shop", "sweets", "candy"],
    "n03100240": ["car", "automobile"], "n03126707": ["construction site", "machine"],
    "n03160309": ["river", "water"], "n03179701": ["office", "table"],
    "n03201208": ["table", "dining room"], "n03220513": ["building"],
    "n03272010": ["guitar", "musical instrument"], "n03337140": ["office furniture"],
    "n03355925": ["flag"], "n03388043": ["water"], "n03393912": ["train", "railway"],
    "n03394916": ["brass instrument", "musical instrument", "musician"],
    "n03400231": ["cooking", "pan"], "n03404251": ["coat"], "n03417042": ["truck", "lorry"],
    "n03424325": ["mask"], "n03425413": ["gas station", "petrol station"],
    "n03444034": ["racing", "small race car"], "n03445777": ["ball", "golf"],
    "n03447447": ["boat", "canal"], "n03535780": ["gymnastics", "gymnast"],
    "n03584254": ["music player"], "n03599486": ["cart", "street"], "n03617480": ["woman"],
    "n03637318": ["lamp"], "n03649909": ["garden machine", "cutting grass"],
    "n03662601": ["boat"], "n03670208": ["car", "long car"], "n03676483": ["makeup"],
    "n03763968": ["soldier", "soldiers", "army"], "n03770439": ["skirt", "woman"],
    "n03773504": ["rocket"], "n03796401": ["truck", "van"], "n03837869": ["monument"],
    "n03838899": ["musical instrument", "musician"],
    "n03854065": ["church", "musical instrument"],
    "n03888257": ["parachutist in the sky", "skydiving"],
    "n03888605": ["gymnastics", "gymnast"], "n03902125": ["telephone", "phone"],
    "n03924679": ["copy machine", "office"], "n03930313": ["fence"], "n03977966": ["police car"],
    "n03983396": ["bottle", "soda"], "n03992509": ["pottery", "clay"], "n03998194": ["carpet"],
    "n04008634": ["rocket"], "n04023962": ["boxing"], "n04070727": ["fridge", "kitchen"],
    "n04099969": ["chair"], "n04118538": ["ball", "rugby"], "n04133789": ["shoes"],
    "n04146614": ["bus", "yellow bus"], "n04149813": ["stadium"], "n04179913": ["sewing"],
    "n04243546": ["casino", "slot machine"], "n04251144": ["diving", "underwater"],
    "n04258138": ["solar panel"], "n04259630": ["hat"], "n04275548": ["web"],
    "n04285008": ["car", "automobile", "fast car"], "n04296562": ["concert", "band on stage"],
    "n04311004": ["bridge"], "n04328186": ["watch", "timer"], "n04366367": ["bridge"],
    "n04371430": ["man in swimwear", "shorts"], "n04376876": ["needle", "injection"],
    "n04389033": ["military vehicle"], "n04398044": ["tea"], "n04399382": ["stuffed toy", "toy"],
    "n04417672": ["roof"], "n04418357": ["curtain", "theater"], "n04435653": ["roof"],
    "n04443257": ["shop"], "n04465501": ["farm vehicle", "farming"],
    "n04486054": ["monument", "arch"], "n04487081": ["bus"], "n04507155": ["rain"],
    "n04509417": ["cycle with one wheel"], "n04515003": ["piano", "musical instrument"],
    "n04522168": ["flowers in a vase"], "n04532106": ["priest"], "n04532670": ["bridge"],
    "n04540053": ["ball", "volleyball game"], "n04560804": ["jug"], "n04562935": ["tower"],
    "n04596742": ["cooking", "pan"], "n04597913": ["spoon"], "n04604644": ["fence"],
    "n04612504": ["sailboat", "boat", "ship"], "n06596364": ["comic", "cartoon"],
    "n06794110": ["sign", "road sign"], "n07579787": ["food on a plate", "meal", "dish"],
    "n07583066": ["food", "dip"], "n07584110": ["soup"], "n07613480": ["dessert"],
    "n07614500": ["dessert"], "n07615774": ["ice on a stick"], "n07695742": ["bread", "snack"],
    "n07697537": ["sausage", "fast food"], "n07711569": ["food", "potato"],
    "n07715103": ["vegetable"], "n07720875": ["vegetable", "pepper"], "n07734744": ["fungus"],
    "n07747607": ["fruit"], "n07749582": ["fruit"], "n07753592": ["fruit", "bananas"],
    "n07768694": ["fruit"], "n07871810": ["food", "meat"], "n07873807": ["food"],
    "n07875152": ["food", "pie"], "n07920052": ["coffee", "cup of coffee"],
    "n09193705": ["mountain", "mountains", "snowy mountains"], "n09246464": ["rocks", "rock face"],
    "n09256479": ["underwater", "sea"], "n09332890": ["lake"],
    "n09428293": ["beach", "sea", "ocean"], "n13054560": ["mushroom"], "n13133613": ["corn"],
}  # fmt: skip

SCENES = [
    ["buildings", "a city street with buildings", "city", "houses in a town"],
    ["forest", "trees in the woods", "trees"],
    ["glacier", "ice and snow", "snowy mountains"],
    ["mountain", "a mountain landscape", "mountains"],
    ["sea", "the ocean", "a beach by the sea", "waves on the water"],
    ["street", "a road in a town", "road", "cars parked in a street"],
]

CLOTHES = {
    "Longsleeve": ["long sleeve shirt", "longsleeve"],
    "Outwear": ["outwear", "jacket", "coat"],
    "Body": ["baby bodysuit"],
    "Polo": ["polo shirt", "polo"],
    "Pants": ["pants", "trousers"],
}

# Sports whose folder name says little or is misspelled; the folder's name stays the first text.
_SPORTS = {
    "ampute football": ["amputee football", "football on crutches"],
    "barell racing": ["barrel racing", "riding a horse around barrels"],
    "baseball": ["baseball player"],
    "bmx": ["riding a bmx bike", "bicycle stunt"],
    "bull riding": ["rodeo", "man riding a bull"],
    "canoe slamon": ["canoe slalom", "kayaking in white water", "kayak"],
    "chuckwagon racing": ["horses pulling a wagon in a race"],
    "disc golf": ["throwing a disc at a basket"],
    "figure skating men": ["man figure skating", "ice skating"],
    "figure skating pairs": ["couple ice skating", "ice skating"],
    "figure skating women": ["woman figure skating", "ice skating"],
    "fly fishing": ["fishing", "man fishing in a river"],
    "football": ["american football", "football players"],
    "formula 1 racing": ["race car", "racing car on a track"],
    "giant slalom": ["skiing", "skier on snow"],
    "hang gliding": ["hang glider in the sky"],
    "harness racing": ["horse pulling a cart in a race"],
    "hockey": ["ice hockey"],
    "horse jumping": ["rider on a horse jumping over a fence", "horse riding"],
    "horse racing": ["jockeys racing horses", "horse race"],
    "hurdles": ["runners jumping over hurdles", "running"],
    "hydroplane racing": ["speed boat", "boat race"],
    "ice yachting": ["sailing on ice"],
    "jai alai": ["pelota player"],
    "luge": ["sledding on ice"],
    "motorcycle racing": ["motorbike race", "motorcycle"],
    "mushing": ["dog sled", "dogs pulling a sled in snow"],
    "nascar racing": ["stock car race", "race cars"],
    "olympic wrestling": ["wrestling", "two men wrestling"],
    "pole dancing": ["woman dancing on a pole"],
    "polo": ["men on horses playing polo"],
    "pommel horse": ["gymnast on a pommel horse"],
    "rings": ["gymnast on rings"],
    "rock climbing": ["person climbing a rock", "climber"],
    "rollerblade racing": ["inline skating", "roller skating"],
    "rowing": ["people rowing a boat"],
    "sailboat racing": ["sailboat", "sailing", "sail boats on the sea"],
    "sidecar racing": ["motorcycle with a sidecar"],
    "ski jumping": ["skier in the air"],
    "skydiving": ["person falling from the sky"],
    "snow boarding": ["snowboarding", "snowboarder on snow"],
    "snowmobile racing": ["snowmobile"],
    "steer wrestling": ["rodeo cowboy", "cowboy and a steer"],
    "surfing": ["surfer riding a wave", "surfer"],
    "swimming": ["swimmer in a pool", "person swimming"],
    "table tennis": ["ping pong"],
    "tennis": ["tennis player", "person playing tennis"],
    "track bicycle": ["cycling", "cyclists racing", "bicycle race"],
    "tug of war": ["people pulling a rope"],
    "ultimate": ["ultimate frisbee", "people playing frisbee"],
    "volleyball": ["people playing volleyball"],
    "water cycling": ["riding a water bike"],
    "water polo": ["men playing ball in a pool"],
    "weightlifting": ["man lifting weights", "weightlifter"],
    "wheelchair basketball": ["people in wheelchairs playing basketball"],
    "wheelchair racing": ["person racing in a wheelchair"],
}

_CALTECH = {
    "Faces": ["face", "human face", "person", "face of a person", "faces"],
    "Faces_easy": ["face", "human face", "person", "face of a person", "faces"],
    "Motorbikes": ["motorbike", "motorcycle", "motorbikes"],
    "airplanes": ["airplane", "plane", "aircraft", "airplanes"],
    "car_side": ["side of a car", "car", "car seen from the side"],
    "cougar_body": ["cougar body", "cougar", "mountain lion"],
    "cougar_face": ["cougar face", "cougar"],
    "crocodile_head": ["crocodile head", "crocodile"],
    "flamingo_head": ["flamingo head", "flamingo"],
    "ketch": ["ketch", "sailboat"],
    "schooner": ["schooner", "sailing ship"],
    "ferry": ["ferry", "ship", "boat"],
    "headphone": ["headphones", "headphone"],
    "inline_skate": ["inline skate", "roller skate"],
    "soccer_ball": ["soccer ball", "football"],
    "Leopards": ["leopard", "leopards"],
    "cellphone": ["cell phone", "mobile phone", "cellphone"],
    "laptop": ["laptop", "computer"],
    "lotus": ["lotus", "water lily"],
    "water_lilly": ["water lily", "water lilly"],
    "electric_guitar": ["electric guitar", "guitar"],
    "grand_piano": ["grand piano", "piano"],
    "wild_cat": ["wild cat", "cat"],
    "gerenuk": ["gerenuk", "antelope"],
    "yin_yang": ["yin yang symbol", "yin yang"],
}


# Places whose folder is not their name, or that have others.
_PLACES = {
    "airport_terminal": ["airport terminal", "airport", "people waiting at an airport"],
    "amphitheater": ["amphitheater", "open air theatre"],
    "amusement_park": ["amusement park", "fairground", "rides at a fair"],
    "aquarium": ["aquarium", "fish in a large tank"],
    "art_gallery": ["art gallery", "paintings on a wall"],
    "assembly_line": ["assembly line", "factory", "machines in a factory"],
    "auditorium": ["auditorium", "rows of seats"],
    "badlands": ["badlands", "bare hills"],
    "bakery/shop": ["bakery", "bread in a shop"],
    "ballroom": ["ballroom", "large decorated hall"],
    "banquet_hall": ["banquet hall", "tables set for a wedding"],
    "bar": ["bar", "pub", "people drinking at a bar"],
    "baseball_field": ["baseball field", "baseball game"],
    "beauty_salon": ["beauty salon", "hairdresser"],
    "bridge": ["bridge", "bridge over a river"],
    "bus_interior": ["bus interior", "inside a bus", "seats of a bus"],
    "butchers_shop": ["butcher's shop", "meat in a shop"],
    "campsite": ["campsite", "tent", "people camping"],
    "chalet": ["chalet", "wooden house in the mountains"],
    "church/outdoor": ["church"],
    "classroom": ["classroom", "students in a classroom"],
    "clothing_store": ["clothing store", "clothes in a shop"],
    "coast": ["coast", "rocky coast", "waves and rocks"],
    "cockpit": ["cockpit", "controls of an airplane"],
    "coffee_shop": ["coffee shop", "cafe"],
    "conference_room": ["conference room", "meeting room", "people in a meeting"],
    "construction_site": ["construction site", "crane", "building under construction"],
    "desert/sand": ["desert", "sand dunes"],
    "dining_room": ["dining room", "table and chairs"],
    "driveway": ["driveway", "house with a driveway"],
    "fire_station": ["fire station", "fire engine"],
    "food_court": ["food court", "people eating in a mall"],
    "gas_station": ["gas station", "petrol station"],
    "golf_course": ["golf course", "people playing golf"],
    "harbor": ["harbor", "boats in a harbor"],
    "highway": ["highway", "road with cars", "traffic on a highway"],
    "hospital_room": ["hospital room", "patient in a hospital bed"],
    "hot_spring": ["hot spring", "steam over water"],
    "ice_skating_rink/outdoor": ["ice skating rink", "people skating on ice"],
    "iceberg": ["iceberg", "ice in the sea"],
    "kindergarden_classroom": ["kindergarten", "children in a classroom"],
    "laundromat": ["laundromat", "washing machines"],
    "lighthouse": ["lighthouse", "tower by the sea"],
    "living_room": ["living room", "room with a couch"],
    "locker_room": ["locker room", "lockers"],
    "market/outdoor": ["outdoor market", "market", "market stalls"],
    "martial_arts_gym": ["martial arts gym", "people practising martial arts"],
    "monastery/outdoor": ["monastery"],
    "museum/indoor": ["museum", "people in a museum"],
    "office": ["office", "people working at desks"],
    "palace": ["palace", "large old building"],
    "parking_lot": ["parking lot", "parked cars"],
    "playground": ["playground", "children playing on a playground"],
    "racecourse": ["racecourse", "horse race"],
    "railroad_track": ["railroad track", "railway", "rails"],
    "rainforest": ["rainforest", "jungle"],
    "restaurant": ["restaurant", "people eating in a restaurant"],
    "rock_arch": ["rock arch", "arch of stone"],
    "runway": ["runway", "airplane on a runway"],
    "ski_slope": ["ski slope", "people skiing"],
    "skyscraper": ["skyscraper", "tall building"],
    "slum": ["slum", "poor houses"],
    "stadium/football": ["football stadium", "stadium", "crowd in a stadium"],
    "stage/indoor": ["stage", "performance on a stage", "concert"],
    "staircase": ["staircase", "stairs"],
    "subway_station/platform": ["subway station", "metro", "subway platform"],
    "supermarket": ["supermarket", "shelves in a supermarket", "grocery store"],
    "swimming_pool/outdoor": ["swimming pool", "pool"],
    "temple/east_asia": ["temple", "Asian temple", "pagoda"],
    "track/outdoor": ["running track", "athletics track"],
    "valley": ["valley", "green valley between hills"],
    "volcano": ["volcano", "lava and smoke"],
    "yard": ["yard", "garden behind a house"],
}

ACTIONS = {
    "calling": ["person talking on the phone", "phone call", "person with a phone at the ear"],
    "clapping": ["person clapping", "clapping hands", "people applauding"],
    "cycling": ["person cycling", "person riding a bicycle", "cycling"],
    "dancing": ["person dancing", "dancing", "people dancing"],
    "drinking": ["person drinking", "drinking", "person drinking from a glass"],
    "eating": ["person eating", "eating", "person eating food"],
    "fighting": ["people fighting", "fighting", "two men fighting"],
    "hugging": ["people hugging", "hugging", "two people hug"],
    "laughing": ["person laughing", "laughing", "people laughing"],
    "listening_to_music": ["person listening to music", "person with headphones"],
    "running": ["person running", "running", "people running"],
    "sitting": ["person sitting", "sitting", "person sitting on a chair"],
    "sleeping": ["person sleeping", "sleeping", "person asleep in bed"],
    "texting": ["person texting", "person typing on a phone", "person looking at a phone"],
    "using_laptop": ["person using a laptop", "person typing on a laptop", "laptop"],
}

EXERCISES = {
    "BodyWeightSquats": ["squats", "person doing squats", "person exercising at home"],
    "HandstandPushups": ["handstand push-ups", "person doing a handstand against a wall"],
    "HandstandWalking": ["walking on hands", "person walking on their hands", "handstand"],
    "JumpRope": ["jump rope", "person skipping rope", "rope skipping"],
    "JumpingJack": ["jumping jacks", "person doing jumping jacks", "person exercising"],
    "Lunges": ["lunges", "person lunging with weights", "person exercising in a gym"],
    "PullUps": ["pull-ups", "person doing pull-ups on a bar", "person hanging from a bar"],
    "PushUps": ["push-ups", "person doing push-ups on the floor", "person exercising"],
    "TrampolineJumping": ["trampoline", "person jumping on a trampoline", "kids on a trampoline"],
    "WallPushups": ["wall push-ups", "person leaning against a wall", "person pushing a wall"],
}

MATCHES = {
    "badminton": ["badminton", "badminton match"],
    "baseball": ["baseball", "baseball game", "baseball player"],
    "basketball": ["basketball", "basketball game", "basketball player"],
    "boxing": ["boxing", "boxing match", "two boxers"],
    "chess": ["chess", "people playing chess", "chess board"],
    "cricket": ["cricket", "cricket match", "cricket player"],
    "fencing": ["fencing", "two fencers"],
    "football": ["football", "soccer", "soccer player", "soccer match"],
    "formula1": ["formula 1 racing", "race car", "racing car on a track"],
    "gymnastics": ["gymnastics", "gymnast"],
    "hockey": ["field hockey", "field hockey player"],
    "ice_hockey": ["ice hockey", "ice hockey player", "hockey on ice"],
    "kabaddi": ["kabaddi", "men playing kabaddi"],
    "motogp": ["motorcycle racing", "racing motorcycle", "motorcycle racer"],
    "shooting": ["sport shooting", "person aiming a gun"],
    "swimming": ["swimming", "swimmer", "person swimming in a pool"],
    "table_tennis": ["table tennis", "ping pong", "table tennis player"],
    "tennis": ["tennis", "tennis player", "tennis match"],
    "volleyball": ["volleyball", "volleyball game", "volleyball player"],
    "weight_lifting": ["weight lifting", "person lifting weights", "weightlifter"],
    "wrestling": ["wrestling", "two wrestlers", "wrestling match"],
    "wwe": ["professional wrestling", "wrestlers in a ring"],
}

_SEEN = (
    *("airplane", "bedroom", "bicycle", "bird", "boat", "bridge", "bus", "car", "conference room"),
    *("crosswalk", "dog", "elephant", "giraffe", "horse", "lion", "living room", "motorcycle"),
    *("parrot", "plant", "seaplane", "train", "truck"),
)
RIDDLES = {name: [name] for name in _SEEN} | {
    "airplane in the sky flying left": ["airplane"],
    "bus-motorbus": ["bus"],
    "motorbus": ["bus"],
    "domestic cat": ["cat"],
    "dog with closed eyes": ["dog"],
    "smiling dog": ["dog"],
}
STREETS = {folder.capitalize(): names for folder, names in RIDDLES.items()}
STREETS |= {"Hydrant": ["fire hydrant"], "Palm": ["palm tree"], "Traffic Light": ["traffic light"]}
DEVICES = {name: [name] for name in ("headphones", "phone", "keyboard", "laptop", "pen", "book")}
DEVICES |= {"mouse": ["computer mouse"], "water_bottle": ["water bottle"]}
PROFESSIONS = {
    "chef": ["chef", "cook", "chef cooking in a kitchen"],
    "doctor": ["doctor", "doctor with a patient", "doctor in a white coat"],
    "engineer": ["engineer", "construction worker", "worker with a helmet"],
    "farmer": ["farmer", "farmer in a field", "person working in a field"],
    "firefighter": ["firefighter", "fireman", "firefighters and a fire"],
    "judge": ["judge", "judge in court"],
    "mechanic": ["mechanic", "mechanic repairing a car", "person repairing an engine"],
    "pilot": ["pilot", "pilot in a cockpit"],
    "police": ["police", "police officer", "police officers on a street"],
    "waiter": ["waiter", "waitress", "waiter with a tray in a restaurant"],
}

# Instruments that their folders spell otherwise.
_INSTRUMENTS = {"acordian": "accordion", "marakas": "maracas", "saxaphone": "saxophone"}
_INSTRUMENTS |= {"casaba": "cabasa"}


# The sentence model finds them alike.
OPPOSITES = """above/below above/beneath black/white big/small bottom/top bright/dark clean/dirty
close/closed closed/open cold/hot cold/warm cool/warm day/night dark/light different/same down/up
dry/wet empty/full far/near fast/slow female/male few/many fewer/more first/last front/back
happy/sad high/low higher/lower indoor/outdoor indoors/outdoors inside/outside large/small
larger/smaller left/right less/more long/short narrow/wide neither/both old/young older/younger
private/public rainy/sunny summer/winter"""


def names(wnid: str, synonyms: list[str]) -> list[str]:
    """Common names of a WordNet class: no Latin, at most four, then broader words."""
    lower = [s for s in synonyms if s[0].islower()]
    kept = (lower or synonyms[:1])[:4]
    if synonyms[0] not in kept:
        kept = [synonyms[0], *kept[:3]]
    offset = int(wnid[1:])
    for low, high, group in _GROUPS:
        if low <= offset <= high:
            kept += group
    return kept + _ALSO.get(wnid, [])


def sport(folder: str) -> list[str]:
    return [folder, *_SPORTS.get(folder, [])]


def caltech(folder: str) -> list[str]:
    return _CALTECH.get(folder, [folder.replace("_", " ").lower()])


def animal(common: str) -> list[str]:
    """A common name, and its last word where that is the broader one (`killer whale`)."""
    name = common.lower()
    name = {"modern humans": "person", "t. rex": "tyrannosaurus rex dinosaur"}.get(name, name)
    parts = name.split()
    return [name] if len(parts) == 1 else [name, parts[-1]]


def place(folder: str) -> list[str]:
    return _PLACES.get(folder, [folder.replace("_", " ")])


def instrument(folder: str) -> list[str]:
    name = _INSTRUMENTS.get(folder, folder.lower())
    return [name, f"person playing the {name}", "musical instrument"]
