"""Nova Poshta, the classic API 2.0 (domestic Ukraine): waybills, tracking, directories."""
