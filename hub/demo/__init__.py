"""`hub demo`: a company's day, played against stand-ins of its vendors by a real hub.

beauty/       courses, a shop, a salon: Bitrix24, Nova Poshta, forms
quest_rooms/  quest rooms: amoCRM, Calltouch, Instagram, Unisender, forms

Read a company's day.py first. What is common to all of them:

company.py  what a company brings
letters.py  what comes in: people, requests, samples
story.py    a day as a list of moments
world.py    what a moment can do: send a request, break a vendor, let time pass
place.py    the folder, the stand-ins and the hub's processes; all of it ends with the demo
clock.py    waiting until the hub is done, and letting minutes pass
account.py  afterwards: what became of each request
checks.py   afterwards: what must be true
show.py     all of that on the terminal
"""
