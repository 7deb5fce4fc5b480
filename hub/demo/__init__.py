"""`hub demo`: the beauty company's day, played against stand-ins of Bitrix24 and Nova Poshta.

day.py      the day itself, moment by moment: read this first
cast.py     who plays: people, and the shapes in which their forms arrive
world.py    what a moment can do: send a form, act in the CRM, move a parcel, break a vendor
place.py    the folder, the stand-ins and the hub's processes; all of it ends with the demo
clock.py    waiting until the hub is done, and letting minutes pass
account.py  afterwards: what became of each request
checks.py   afterwards: what must be true
show.py     all of that on the terminal
"""
