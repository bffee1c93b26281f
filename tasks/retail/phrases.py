"""How people ask: sentences with places for words, and what may stand there.

``{item.type}`` takes a value of that list and labels all of its words; ``[where:interrogative.location]`` labels the
words before the colon; everything else is outside of any slot.
"""

from __future__ import annotations

from collections.abc import Mapping

PLACES = (
    "Los Angeles", "Boston", "San Jose", "Chicago", "Berlin", "New York", "Seattle", "Austin", "Denver", "Munich",
    "Santa Clara", "Portland", "Miami", "Salt Lake City", "Paris", "Toronto", "Raleigh", "Phoenix",
)  # fmt: skip
VALUES: Mapping[str, tuple[str, ...]] = {
    "location": PLACES,
    "item.type": (
        "pasta", "sushi", "jeans", "laptop memory", "coffee", "running shoes", "pizza", "burgers", "headphones",
        "tacos", "winter jackets", "Thai food", "ice cream", "phone cases", "noodles", "garden chairs", "books",
        "sandwiches",
    ),
    "item.name": (
        "Galaxy Buds", "iPhone", "Air Max", "Kindle", "Thinkpad", "Playstation", "Fire Stick",
        "Nikon D750", "Lego Duplo", "Instant Pot", "Dyson", "Fitbit",
    ),
    "item.color": ("red", "blue", "black", "light green", "white", "dark grey", "yellow"),
    "item.size": ("small", "large", "medium", "extra large", "size ten"),
    "item.quantity": ("two", "a dozen", "three pairs", "five", "a pound"),
    "store.type": (
        "restaurant", "coffee shop", "book store", "supermarket", "pharmacy", "shoe shop", "gas station", "bakery",
        "hardware store", "mall",
    ),
    "store.name": ("Walmart", "Target", "Best Buy", "Trader Joes", "Costco", "Whole Foods", "Safeway", "Ikea"),
    "store.hour.start": ("eight", "nine thirty", "seven am", "noon"),
    "store.hour.end": ("midnight", "ten pm", "six", "half past nine"),
    "store.hour.day": ("Sunday", "Monday", "Saturdays", "the weekend"),
    "store.status": ("open", "closed", "still open"),
    "cost.high": ("expensive", "fancy", "most expensive"),
    "cost.average": ("affordable", "reasonable", "mid priced"),
    "cost.low": ("cheap", "cheapest", "lowest price", "inexpensive"),
    "rating.high": ("best", "top rated", "best rated", "highly rated", "greatest"),
    "rating.average": ("decent", "okay", "average"),
    "rating.low": ("worst", "lowest rated"),
    "time.period_of_time": (
        "today", "tomorrow", "next week", "this weekend", "tonight", "on Friday", "this afternoon", "right now",
    ),
}  # fmt: skip

PHRASES: Mapping[str, tuple[str, ...]] = {
    "price_check": (
        "[how much:interrogative.manner] [is:verb] [the:article] {item.name}",
        "[how much:interrogative.manner] [are:verb] {item.type}",
        "[what:interrogative] [is:verb] [the:article] price of {item.type}",
        "[what:interrogative] does [a:article] {item.color} {item.name} [cost:verb]",
        "[find:verb] me {item.type} with [the:article] {cost.low}",
        "[tell:verb] me [the:article] price of {item.size} {item.type}",
        "i want to [know:verb] [what:interrogative] {item.quantity} {item.type} [cost:verb]",
        "[what:interrogative] [is:verb] [the:article] {cost.low} {item.type}",
        "[check:verb] [the:article] price for {item.name}",
    ),
    "find_the_store": (
        "[where:interrogative.location] can i [get:verb] [the:article] {rating.high} {item.type}",
        "[where:interrogative.location] [is:verb] [the:article] nearest {store.type}",
        "[find:verb] [a:article] {cost.low} {store.type} in {location}",
        "[where:interrogative.location] do they [sell:verb] {item.type} in {location}",
        "[show:verb] me [the:article] {rating.high} {item.type} [restaurant:store.type] near {location}",
        "[is:verb] there [a:article] {store.name} in {location}",
        "[who:interrogative.personal] [sells:verb] {item.name} around {location}",
        "[when:interrogative.time] does {store.name} [open:verb] on {store.hour.day}",
        "[is:verb] {store.name} {store.status} until {store.hour.end}",
        "i am [looking:verb] for [a:article] {rating.average} {cost.average} {store.type}",
        "{rating.high} {store.type} near {location}",
        "[which:interrogative] {store.type} [is:verb] {store.status} from {store.hour.start}",
        "avoid [the:article] {rating.low} {store.type} and [the:article] {cost.high} ones in {location}",
    ),
    "unknown": (
        "[tell:verb] me [a:article] joke",
        "[what:interrogative] [is:verb] your name",
        "[play:verb] some music",
        "[who:interrogative.personal] [won:verb] [the:article] game last night",
        "[set:verb] [an:article] alarm for {store.hour.start}",
        "hello there",
        "[what:interrogative] [is:verb] [the:article] meaning of life",
        "my name is on [the:article] list",
        "[call:verb] my mother",
        "thank you very much",
        "in {location}",
        "{location}",
        "it [is:verb] {location}",
    ),
    "inventory_check": (
        "[are:verb] {item.type} in stock in {location}",
        "do you [have:verb] {item.color} {item.type}",
        "[does:verb] {store.name} have [the:article] {item.name}",
        "[how many:interrogative.manner] {item.name} [are:verb] left",
        "[is:verb] [the:article] {item.name} available in {item.color}",
        "do you [carry:verb] {item.type} in {item.size}",
        "[check:verb] if {item.type} are in stock",
    ),
    "weather": (
        "[what:interrogative] [is:verb] [the:article] weather in {location}",
        "[how:interrogative.manner] [is:verb] [the:article] weather {time.period_of_time}",
        "weather forecast for {location} {time.period_of_time}",
        "[tell:verb] me [the:article] weather in {location} {time.period_of_time}",
    ),
    "temperature": (
        "[what:interrogative] [is:verb] [the:article] temperature in {location}",
        "[how:interrogative.manner] many degrees [are:verb] there in {location} {time.period_of_time}",
        "temperature {time.period_of_time} in {location}",
    ),
    "sunny": (
        "[is:verb] it sunny in {location}",
        "will [the:article] sun [shine:verb] in {location} {time.period_of_time}",
        "do i [need:verb] sunglasses {time.period_of_time} in {location}",
    ),
    "cloudy": (
        "[is:verb] it cloudy in {location}",
        "[are:verb] there clouds over {location} {time.period_of_time}",
        "will [the:article] sky [be:verb] grey {time.period_of_time} in {location}",
    ),
    "snow": (
        "[how much:interrogative.manner] snow [is:verb] there in {location}",
        "snow report for {location} {time.period_of_time}",
        "[tell:verb] me about [the:article] snow in {location}",
    ),
    "rain": (
        "[how much:interrogative.manner] rain [is:verb] there in {location}",
        "rain report for {location} {time.period_of_time}",
        "[tell:verb] me about [the:article] rain in {location}",
    ),
    "snowfall": (
        "will it [snow:verb] in {location} {time.period_of_time}",
        "[is:verb] it snowing in {location}",
        "[is:verb] snow coming to {location} {time.period_of_time}",
    ),
    "rainfall": (
        "will it [rain:verb] in {location} {time.period_of_time}",
        "[is:verb] it raining in {location}",
        "do i [need:verb] an umbrella in {location} {time.period_of_time}",
    ),
    "tempyesno": (
        "[is:verb] it cold in {location}",
        "[is:verb] it hot in {location} {time.period_of_time}",
        "will it [be:verb] warm {time.period_of_time} in {location}",
    ),
    "humidity": (
        "[what:interrogative] [is:verb] [the:article] humidity in {location}",
        "[how:interrogative.manner] humid [is:verb] it in {location} {time.period_of_time}",
        "humidity of {location}",
    ),
    "humidity_yes_no": (
        "[is:verb] it humid in {location}",
        "[is:verb] [the:article] air damp in {location} {time.period_of_time}",
        "will it [be:verb] muggy {time.period_of_time} in {location}",
    ),
    "start_navigation": (
        "[navigate:verb] to [the:article] nearest {store.type}",
        "[take:verb] me to {store.name} in {location}",
        "[start:verb] driving to [the:article] {rating.high} {store.type}",
    ),
    "time_of_arrival": (
        "[when:interrogative.time] will i [be:verb] at {store.name}",
        "[how long:interrogative.time] does it [take:verb] to [the:article] {store.type}",
        "[how:interrogative.manner] far [is:verb] {store.name} from {location}",
    ),
    "show_direction": (
        "[show:verb] me [the:article] way to {store.name}",
        "directions to [the:article] {store.type} in {location}",
        "[how:interrogative.manner] do i [get:verb] to {store.name}",
    ),
    "show_map": (
        "[show:verb] me [a:article] map of {location}",
        "[open:verb] [the:article] map",
        "[where:interrogative.location] am i on [the:article] map",
    ),
}
BEFORE = ("", "", "", "", "please", "hey", "can you tell me", "um", "excuse me", "i wonder")
AFTER = ("", "", "", "", "please", "thanks", "if you can")
